// A Vault server for tests: Vault's own core, HTTP interface and transit engine, without its command line and other engines (build.sh).
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	log "github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/helper/namespace"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "version" {
		fmt.Println("Vault v1.21.4 (core and transit)")
		return
	}
	set := flag.NewFlagSet("server", flag.ExitOnError)
	set.Bool("dev", true, "")
	set.Bool("dev-no-store-token", true, "")
	token := set.String("dev-root-token-id", "root", "")
	address := set.String("dev-listen-address", "127.0.0.1:8200", "")
	set.Parse(os.Args[2:])
	logger := log.New(&log.LoggerOptions{Level: log.Warn})
	store, err := inmem.NewInmem(nil, logger)
	check(err)
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           store,
		BuiltinRegistry:    registry{},
		DisableMlock:       true,
		Logger:             logger,
		LogicalBackends:    map[string]logical.Factory{"transit": transit.Factory},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory},
	})
	check(err)
	init, err := core.Initialize(context.Background(), &vault.InitParams{
		BarrierConfig:  &vault.SealConfig{SecretShares: 1, SecretThreshold: 1},
		RecoveryConfig: nil,
	})
	check(err)
	_, err = core.Unseal(init.SecretShares[0])
	check(err)
	request := &logical.Request{
		ID: "root-token", ClientToken: init.RootToken, Operation: logical.UpdateOperation, Path: "auth/token/create",
		Data: map[string]interface{}{"id": *token, "policies": []string{"root"}, "no_parent": true, "no_default_policy": true},
	}
	listener, err := net.Listen("tcp", *address)
	check(err)
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{Address: *address, TLSDisable: true}})
	go func() {
		_, err := core.HandleRequest(namespace.RootContext(context.Background()), request)
		check(err)
	}()
	check(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(namespace.RootContext(r.Context())))
	})))
}

// registry knows no plugins but the transit engine.
type registry struct{}

func (registry) Contains(name string, t consts.PluginType) bool {
	return name == "transit" && t == consts.PluginTypeSecrets
}
func (registry) Get(name string, t consts.PluginType) (func() (interface{}, error), bool) {
	return nil, false
}
func (registry) IsBuiltinEntPlugin(name string, t consts.PluginType) bool { return false }
func (registry) Keys(t consts.PluginType) []string                        { return nil }
func (registry) DeprecationStatus(name string, t consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, true
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
