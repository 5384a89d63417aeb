package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"corrosion/api"
	"corrosion/api/auth"
	"corrosion/api/module"
	"corrosion/api/payment"
	"corrosion/api/purchase"
	"corrosion/api/store"
	"corrosion/schema/connect"
)

// moduleFlags are the settings of modules and of paying for them.
type moduleFlags struct {
	ModuleDir        string `env:"CORROSION_MODULE_DIR" help:"Plugin files of modules; unset = modules in the data directory. All API processes share it."`
	PayPalClientID   string `name:"paypal-client-id" env:"CORROSION_PAYPAL_CLIENT_ID" help:"Client id of the REST app at PayPal; unset = purchases are recorded as paid at once."`
	PayPalSecretFile string `name:"paypal-secret-file" env:"CORROSION_PAYPAL_SECRET_FILE" help:"File with the app's secret, read again for each new token; unset = the environment variable CORROSION_PAYPAL_SECRET."`
	PayPalWebhookID  string `name:"paypal-webhook-id" env:"CORROSION_PAYPAL_WEBHOOK_ID" help:"Id of the webhook at PayPal; unset = PayPal's messages are not taken."`
	PayPalURL        string `name:"paypal-url" env:"CORROSION_PAYPAL_URL" default:"https://api-m.paypal.com" help:"PayPal's API; https://api-m.sandbox.paypal.com to try things out."`
}

func (f moduleFlags) dir(data string) string {
	if f.ModuleDir != "" {
		return f.ModuleDir
	}
	return filepath.Join(data, "modules")
}

// gateway is how new purchases are paid.
func (f moduleFlags) gateway(r *roles) (payment.Gateway, *payment.Webhook, error) {
	if f.PayPalClientID == "" {
		return payment.Instant{}, nil, nil
	}
	if _, err := f.payPalSecret(); err != nil {
		return nil, nil, err
	}
	config := payment.DefaultPayPalConfig()
	config.BaseURL, config.ClientID, config.Secret, config.Logger = f.PayPalURL, f.PayPalClientID, f.payPalSecret, r.log
	gateway, err := payment.NewPayPal(config)
	if err != nil {
		return nil, nil, err
	}
	if f.PayPalWebhookID == "" {
		r.log.Warn("PayPal's messages are not taken: set CORROSION_PAYPAL_WEBHOOK_ID, or payments that take their time are seen late")
		return gateway, nil, nil
	}
	webhook, err := payment.NewWebhook(payment.DefaultWebhookConfig(f.PayPalWebhookID))
	return gateway, webhook, err
}

// payPalSecret reads the secret as it is now.
func (f moduleFlags) payPalSecret() (string, error) {
	secret, named, err := connect.Files{Password: f.PayPalSecretFile}.Secret()
	if err != nil {
		return "", fmt.Errorf("CORROSION_PAYPAL_SECRET_FILE: %w", err)
	}
	if !named {
		secret = os.Getenv("CORROSION_PAYPAL_SECRET")
	}
	if secret == "" {
		return "", errors.New("CORROSION_PAYPAL_CLIENT_ID is set and there is no secret: set CORROSION_PAYPAL_SECRET_FILE or CORROSION_PAYPAL_SECRET")
	}
	return secret, nil
}

// startModules opens the catalogue, puts the first module into it, and settles purchases that wait until close.
func (r *roles) startModules(ctx context.Context, keys *auth.Keys, f moduleFlags, publicURL string, deps *api.Deps) error {
	files, err := module.NewFiles(f.dir(r.Data))
	if err != nil {
		return err
	}
	stored := store.New(r.pool)
	if deps.Modules, err = module.New(module.Deps{Store: stored, Files: files, Keys: keys, PublicURL: publicURL, Installed: r.installedOn}); err != nil {
		return err
	}
	if err := deps.Modules.Seed(ctx); err != nil {
		return err
	}
	gateway, webhook, err := f.gateway(r)
	if err != nil {
		return err
	}
	config := purchase.DefaultConfig()
	config.PublicURL = publicURL
	sales, err := purchase.New(config, purchase.Deps{Store: stored, Gateway: gateway, Webhook: webhook, Registerer: r.registry, Logger: r.log})
	if err != nil {
		return err
	}
	deps.Purchases = sales
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { // ends with cancel
		defer close(done)
		sales.Run(ctx)
	}()
	r.onClose("purchases", func(context.Context) error { cancel(); <-done; return nil })
	return nil
}
