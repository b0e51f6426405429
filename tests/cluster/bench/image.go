package bench

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

const (
	busybox = "/bin/busybox"

	manifestType = "application/vnd.docker.distribution.manifest.v2+json"
	configType   = "application/vnd.docker.container.image.v1+json"
	layerType    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// image is what a registry stores: one layer, the configuration that names it, the manifest.
type image struct {
	layer, config, manifest []byte
}

// makeImages pushes the two images that everything else stands on: nothing can be pulled from
// outside.
func (b *Bench) makeImages() error {
	program, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	names, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("%s --list: %w", busybox, err)
	}
	tree, err := busyboxTree(program, strings.Fields(string(names)))
	if err != nil {
		return err
	}
	for name, command := range map[string][]string{
		baseImage:  {"sh"},
		pauseImage: {"sleep", "2147483647"},
	} {
		made, err := makeImage(tree, command)
		if err != nil {
			return err
		}
		if err := push("http://"+registryOpen, name, made); err != nil {
			return fmt.Errorf("push of %s: %w", name, err)
		}
	}
	return nil
}

// busyboxTree is a small root file system as tar: one program under all its names.
func busyboxTree(program []byte, names []string) ([]byte, error) {
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	add := func(header tar.Header, text []byte) error {
		header.Size = int64(len(text))
		if err := archive.WriteHeader(&header); err != nil {
			return err
		}
		_, err := archive.Write(text)
		return err
	}
	entries := []struct {
		header tar.Header
		text   string
	}{
		{tar.Header{Typeflag: tar.TypeDir, Name: "bin/", Mode: 0o755}, ""},
		{tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755}, string(program)},
		{tar.Header{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755}, ""},
		{tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644},
			"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"},
		{tar.Header{Typeflag: tar.TypeReg, Name: "etc/group", Mode: 0o644}, "root:x:0:\nnogroup:x:65534:\n"},
		{tar.Header{Typeflag: tar.TypeDir, Name: "root/", Mode: 0o700}, ""},
		{tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, ""},
		{tar.Header{Typeflag: tar.TypeDir, Name: "usr/", Mode: 0o755}, ""},
		{tar.Header{Typeflag: tar.TypeSymlink, Name: "usr/bin", Linkname: "../bin", Mode: 0o777}, ""},
	}
	for _, entry := range entries {
		if err := add(entry.header, []byte(entry.text)); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		if name == "busybox" {
			continue
		}
		link := tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox", Mode: 0o777}
		if err := add(link, nil); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

// makeImage wraps a file system; equal input gives an equal digest.
func makeImage(tree []byte, command []string) (image, error) {
	var made image
	var buffer bytes.Buffer
	packer := gzip.NewWriter(&buffer)
	if _, err := packer.Write(tree); err != nil {
		return made, err
	}
	if err := packer.Close(); err != nil {
		return made, err
	}
	made.layer = buffer.Bytes()
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config": map[string]any{
			"Env": []string{"PATH=/bin"},
			"Cmd": command,
		},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{digest(tree)}},
		"history": []map[string]string{{"created_by": "shipway bench"}},
	})
	if err != nil {
		return made, err
	}
	made.config = config
	made.manifest, err = json.Marshal(map[string]any{
		"schemaVersion": 2,
		"mediaType":     manifestType,
		"config":        describe(configType, made.config),
		"layers":        []any{describe(layerType, made.layer)},
	})
	return made, err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func describe(mediaType string, content []byte) map[string]any {
	return map[string]any{"mediaType": mediaType, "digest": digest(content), "size": len(content)}
}

// push uploads an image through the registry's API; name is REPOSITORY:TAG.
func push(registry, name string, made image) error {
	repository, tag, _ := strings.Cut(name, ":")
	base := registry + "/v2/" + repository
	for _, blob := range [][]byte{made.layer, made.config} {
		location, err := send(http.MethodPost, base+"/blobs/uploads/", "", nil)
		if err != nil {
			return err
		}
		separator := "?"
		if strings.Contains(location, "?") {
			separator = "&"
		}
		_, err = send(http.MethodPut, location+separator+"digest="+digest(blob), "application/octet-stream", blob)
		if err != nil {
			return err
		}
	}
	_, err := send(http.MethodPut, base+"/manifests/"+tag, manifestType, made.manifest)
	return err
}

// send gives the Location that the registry answers with.
func send(method, url, contentType string, body []byte) (string, error) {
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return "", fmt.Errorf("%s %s answers %s: %s", method, url, response.Status, text)
	}
	return response.Header.Get("Location"), nil
}
