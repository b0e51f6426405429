package main

import (
	"fmt"
	"strings"
)

// object is a manifest, and what its URL is made of.
type object struct {
	// from the root to the namespace: "/api/v1"
	prefix string
	plural string
	name   string
	yaml   string
}

// kinds is how many kinds [objects] are of.
const kinds = 3

// objects are so many as asked for, of which 40 % are ConfigMaps, 30 % Services and 30 % Deployments of no replicas:
// containers would only add the time of the node.
func objects(count int) []object {
	configurations, services := count*4/10, count*3/10
	made := make([]object, 0, count)
	for number := range configurations {
		made = append(made, configuration(number))
	}
	for number := range services {
		made = append(made, service(number))
	}
	for number := range count - configurations - services {
		made = append(made, deployment(number))
	}
	return made
}

// manifests is one file with all of them.
func manifests(of []object) string {
	var text strings.Builder
	for _, each := range of {
		text.WriteString("---\n")
		text.WriteString(each.yaml)
	}
	return text.String()
}

func configuration(number int) object {
	name := fmt.Sprintf("settings-%d", number)
	return object{"/api/v1", "configmaps", name, fmt.Sprintf(`apiVersion: v1
kind: ConfigMap
metadata:
  name: %s
  labels:
    app.kubernetes.io/part-of: measure
data:
  MODE: calm
  NUMBER: "%d"
  greeting.txt: |
    good morning,
    number %d
`, name, number, number)}
}

func service(number int) object {
	name := fmt.Sprintf("web-%d", number)
	return object{"/api/v1", "services", name, fmt.Sprintf(`apiVersion: v1
kind: Service
metadata:
  name: %s
  labels:
    app.kubernetes.io/part-of: measure
spec:
  selector:
    app: %s
  ports:
    - name: http
      port: 80
      targetPort: http
`, name, name)}
}

func deployment(number int) object {
	name := fmt.Sprintf("web-%d", number)
	return object{"/apis/apps/v1", "deployments", name, fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[1]s
  labels:
    app.kubernetes.io/part-of: measure
spec:
  replicas: 0
  selector:
    matchLabels:
      app: %[1]s
  template:
    metadata:
      labels:
        app: %[1]s
    spec:
      containers:
        - name: web
          image: registry.example.com/team/web:1.2.3
          ports:
            - name: http
              containerPort: 8080
          env:
            - name: NUMBER
              value: "%[2]d"
            - name: NODE
              valueFrom:
                fieldRef:
                  fieldPath: spec.nodeName
          readinessProbe:
            httpGet:
              path: /ping
              port: http
          resources:
            requests:
              cpu: 10m
              memory: 32Mi
            limits:
              memory: 64Mi
`, name, number)}
}
