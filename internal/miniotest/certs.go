package miniotest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// certs are the certificates of a server with TLS, and the connections that trust them. Without TLS all fields are zero.
type certs struct {
	certFile, keyFile string
	server            tls.Certificate
	pool              *x509.CertPool

	once   sync.Once
	shared *http.Transport
}

// write makes an authority and a server's certificate. The authority goes to caFile, the rest to where both servers
// look: a folder certs with public.crt and private.key.
func (c *certs) write(dir, caFile string) error {
	now := time.Now()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return fmt.Errorf("sign authority: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return fmt.Errorf("sign server: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode key: %w", err)
	}

	folder := filepath.Join(dir, "certs")
	c.certFile, c.keyFile = filepath.Join(folder, "public.crt"), filepath.Join(folder, "private.key")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	for path, data := range map[string][]byte{caFile: caPEM, c.certFile: certPEM, c.keyFile: keyPEM} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	c.pool = x509.NewCertPool()
	c.pool.AppendCertsFromPEM(caPEM)
	c.server, err = tls.X509KeyPair(certPEM, keyPEM)
	return err
}

// transport returns the connections of this package to the server. They ask for no compression, so that what passes
// through a proxy is what the client asked for.
func (c *certs) transport() *http.Transport {
	c.once.Do(func() {
		c.shared = &http.Transport{
			DisableCompression: true, MaxIdleConnsPerHost: 64,
			TLSClientConfig: &tls.Config{RootCAs: c.pool},
		}
	})
	return c.shared
}

func (c *certs) httpClient() *http.Client { return &http.Client{Transport: c.transport()} }
