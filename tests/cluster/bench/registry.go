package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

func (b *Bench) openRegistry() component {
	return component{
		name:    "registry",
		where:   registryOpen,
		ports:   []int{portRegistry},
		command: []string{"docker-registry", "serve", b.path("configuration", "registry.yaml")},
		probe: func(ctx context.Context) error {
			return answers(ctx, "http://"+registryOpen+"/v2/")
		},
	}
}

func (b *Bench) loginRegistry() component {
	return component{
		name:    "registry-login",
		where:   registryLogin + " (with login)",
		ports:   []int{portRegistryLogin},
		command: []string{"docker-registry", "serve", b.path("configuration", "registry-login.yaml")},
		probe: func(ctx context.Context) error {
			password, err := os.ReadFile(b.passwordFile())
			if err != nil {
				return err
			}
			return expect(ctx, http.DefaultClient, "http://"+registryLogin+"/v2/", registryUser, string(password))
		},
	}
}

const registryConfiguration = `version: 0.1
log: {level: info}
storage:
  filesystem: {rootdirectory: @FOLDER@}
  delete: {enabled: true}
http:
  addr: 127.0.0.1:@PORT@
  secret: @SECRET@
`

const registryAuthentication = `auth:
  htpasswd: {realm: shipway-bench, path: @FILE@}
`

func (b *Bench) configureRegistries() error {
	password := randomText(24)
	if err := b.write(password, 0o600, "registry-password"); err != nil {
		return err
	}
	// The registry checks the hash at each request: the lowest cost keeps it quick.
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return err
	}
	if err := b.write(fmt.Sprintf("%s:%s\n", registryUser, hash), 0o600, "configuration", "htpasswd"); err != nil {
		return err
	}
	configure := func(name string, port int, text string) error {
		fill := strings.NewReplacer("@FOLDER@", b.path(name), "@PORT@", fmt.Sprint(port),
			"@SECRET@", rand.Text(), "@FILE@", b.path("configuration", "htpasswd"))
		return b.write(fill.Replace(text), 0o600, "configuration", name+".yaml")
	}
	if err := configure("registry", portRegistry, registryConfiguration); err != nil {
		return err
	}
	return configure("registry-login", portRegistryLogin, registryConfiguration+registryAuthentication)
}

// randomText makes a password that trips whoever does not quote it: every third character is a
// symbol that a shell, a URL or JSON treats in its own way.
func randomText(length int) string {
	const letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	const symbols = `$&'"\%:/@#+=;<>!*`
	var text strings.Builder
	for i := range length {
		alphabet := letters
		if i%3 == 2 {
			alphabet = symbols
		}
		index, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			panic(err) // The system's source of randomness does not fail.
		}
		text.WriteByte(alphabet[index.Int64()])
	}
	return text.String()
}
