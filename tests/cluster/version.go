package main

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"strings"
)

//go:embed *.go go.mod go.sum bench/*.go
var sources embed.FS

// sourcesHash names the version of the bench: two binaries built from the same sources take over
// each other's bench, any other replaces it.
func sourcesHash() string {
	hash := sha256.New()
	err := fs.WalkDir(sources, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := sources.ReadFile(path)
		if err != nil {
			return err
		}
		hash.Write([]byte(path + "\x00"))
		hash.Write(text)
		return nil
	})
	if err != nil {
		panic(err) // Reading what is embedded cannot fail.
	}
	return hex.EncodeToString(hash.Sum(nil))[:16]
}
