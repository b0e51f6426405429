package bench

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"testing"
)

func TestTheImageNamesItsPartsByTheirDigests(t *testing.T) {
	tree, err := busyboxTree([]byte("program"), []string{"busybox", "sh", "[["})
	if err != nil {
		t.Fatal(err)
	}
	made, err := makeImage(tree, []string{"sh"})
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Config struct{ Digest string }
		Layers []struct {
			Digest string
			Size   int
		}
	}
	if err := json.Unmarshal(made.manifest, &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Config.Digest != digest(made.config) || len(manifest.Layers) != 1 ||
		manifest.Layers[0].Digest != digest(made.layer) || manifest.Layers[0].Size != len(made.layer) {
		t.Errorf("the manifest is %s", made.manifest)
	}
	unpacker, err := gzip.NewReader(bytes.NewReader(made.layer))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(unpacker)
	if err != nil || !bytes.Equal(unpacked, tree) {
		t.Errorf("the layer is not the tree, error %v", err)
	}
	if !bytes.Contains(made.config, []byte(digest(tree))) {
		t.Errorf("the configuration does not name the tree: %s", made.config)
	}
	again, err := makeImage(tree, []string{"sh"})
	if err != nil || !bytes.Equal(again.manifest, made.manifest) {
		t.Errorf("the same image has another digest, error %v", err)
	}
}

func TestEveryNameOfBusyboxIsALink(t *testing.T) {
	tree, err := busyboxTree([]byte("program"), []string{"busybox", "sh"})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]byte{}
	for archive := tar.NewReader(bytes.NewReader(tree)); ; {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds[header.Name] = header.Typeflag
	}
	if kinds["bin/busybox"] != tar.TypeReg || kinds["bin/sh"] != tar.TypeSymlink {
		t.Errorf("the tree holds %v", kinds)
	}
}
