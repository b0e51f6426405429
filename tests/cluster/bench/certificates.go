package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// authority signs everything of the bench: servers and clients.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// identity is one certificate: a client if it has no hosts.
type identity struct {
	file         string
	name         string
	organization []string
	hosts        []string
}

func (b *Bench) identities() []identity {
	return []identity{
		{file: "apiserver", name: "kube-apiserver", hosts: []string{
			"127.0.0.1", "localhost", serviceAddress,
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		}},
		{file: "kubelet-server", name: "system:node:" + nodeName, hosts: []string{nodeName, nodeAddress}},
		{file: "admin", name: "bench-admin", organization: []string{"system:masters"}},
		{file: "apiserver-kubelet", name: "apiserver-kubelet", organization: []string{"system:masters"}},
		{file: "controller-manager", name: "system:kube-controller-manager"},
		{file: "scheduler", name: "system:kube-scheduler"},
		{file: "kubelet", name: "system:node:" + nodeName, organization: []string{"system:nodes"}},
		{file: "proxy", name: "system:kube-proxy"},
	}
}

// makeCertificates writes the authority, the key of the service accounts and all identities.
func (b *Bench) makeCertificates() error {
	signer, err := b.makeAuthority()
	if err != nil {
		return err
	}
	accounts, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if err := b.writeKey("service-accounts", accounts); err != nil {
		return err
	}
	for _, id := range b.identities() {
		if err := b.issue(signer, id); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bench) makeAuthority() (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	template := certificateTemplate(pkix.Name{CommonName: "shipway-bench"})
	template.IsCA = true
	template.KeyUsage |= x509.KeyUsageCertSign
	encoded, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return authority{}, err
	}
	certificate, err := x509.ParseCertificate(encoded)
	if err != nil {
		return authority{}, err
	}
	return authority{certificate: certificate, key: key}, b.writePair("authority", encoded, key)
}

func (b *Bench) issue(signer authority, id identity) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := certificateTemplate(pkix.Name{CommonName: id.name, Organization: id.organization})
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, host := range id.hosts {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if address := net.ParseIP(host); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, signer.certificate, key.Public(), signer.key)
	if err != nil {
		return err
	}
	return b.writePair(id.file, encoded, key)
}

func certificateTemplate(subject pkix.Name) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // The system's source of randomness does not fail.
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               subject,
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
}

func (b *Bench) writePair(name string, encoded []byte, key *ecdsa.PrivateKey) error {
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encoded})
	if err := b.write(string(text), 0o644, "certificates", name+".crt"); err != nil {
		return err
	}
	return b.writeKey(name, key)
}

func (b *Bench) writeKey(name string, key *ecdsa.PrivateKey) error {
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded})
	return b.write(string(text), 0o600, "certificates", name+".key")
}
