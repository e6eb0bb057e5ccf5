package s3_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/repo/storage/s3"
)

func TestParseURL(t *testing.T) {
	tests := []struct {
		text      string
		want      s3.Config
		canonical string // empty: text
	}{
		{"s3://bucket", s3.Config{Bucket: "bucket"}, ""},
		{"s3://bucket/", s3.Config{Bucket: "bucket"}, "s3://bucket"},
		{"s3://bucket/a/b", s3.Config{Bucket: "bucket", Prefix: "a/b"}, ""},
		{"s3://bucket/a/b/", s3.Config{Bucket: "bucket", Prefix: "a/b"}, "s3://bucket/a/b"},
		{"s3://my.bucket-1/p?endpoint=127.0.0.1:9000&tls=false", s3.Config{Bucket: "my.bucket-1", Prefix: "p", Endpoints: []string{"127.0.0.1:9000"}, Insecure: true}, ""},
		{"s3://bucket?tls=true&endpoint=Minio.Internal", s3.Config{Bucket: "bucket", Endpoints: []string{"minio.internal"}}, "s3://bucket?endpoint=minio.internal"},
		{"s3://bucket?endpoint=b:1&endpoint=a:2&endpoint=[::1]:9", s3.Config{Bucket: "bucket", Endpoints: []string{"b:1", "a:2", "[::1]:9"}}, ""},
		{"s3://bucket?endpoint=s3.amazonaws.com", s3.Config{Bucket: "bucket"}, "s3://bucket"},
		{"s3://bucket?region=eu-1&path-style=dns", s3.Config{Bucket: "bucket", Region: "eu-1", PathStyle: s3.PathDNS}, ""},
		{"s3://bucket?path-style=path", s3.Config{Bucket: "bucket", PathStyle: s3.PathOnly}, ""},
		{"s3://bucket?path-style=auto", s3.Config{Bucket: "bucket"}, "s3://bucket"},
		{"s3://bucket?ca=/etc/own%20ca.pem", s3.Config{Bucket: "bucket", CAFile: "/etc/own ca.pem"}, "s3://bucket?ca=/etc/own+ca.pem"},
	}
	for _, tt := range tests {
		got, err := s3.ParseURL(tt.text)
		if err != nil {
			t.Errorf("ParseURL(%q): %v", tt.text, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("ParseURL(%q) (-want +got):\n%s", tt.text, diff)
		}
		canonical := tt.canonical
		if canonical == "" {
			canonical = tt.text
		}
		if got.String() != canonical {
			t.Errorf("ParseURL(%q) prints as %q, want %q", tt.text, got, canonical)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	tests := []struct{ text, says string }{
		{"", "s3://"}, {"bucket", "s3://"}, {"s3:bucket", "s3://"}, {"http://bucket", "s3://"}, {"s3:///p", "missing"}, {"s3://", "missing"},
		{"s3://bucket:9000/p", "endpoint="}, {"s3://127.0.0.1/p", "IP address"}, {"s3://bu", "63"}, {"s3://" + strings.Repeat("b", 64), "63"},
		{"s3://Bucket", "lower-case"}, {"s3://bucket-", "lower-case"}, {"s3://-bucket", "lower-case"}, {"s3://b..b", "lower-case"}, {"s3://b.-b", "lower-case"},
		{"s3://b-.b", "lower-case"}, {"s3://b_b", "lower-case"}, {"s3://.bucket", "lower-case"}, {"s3://zone--use1-az4--x-s3", "no order"},
		{"s3://bucket//p", "prefix"}, {"s3://bucket/a//b", "prefix"}, {"s3://bucket/../b", "prefix"}, {"s3://bucket/ä", "prefix"}, {"s3://bucket/a%20b", "prefix"},
		{"s3://bucket/" + strings.Repeat("p", 501), "prefix"}, {"s3://bucket/p#f", "#"}, {"s3://bucket/p#", "#"},
		{"s3://bucket?endpoint=http://a", "scheme"}, {"s3://bucket?endpoint=a/b", "scheme"}, {"s3://bucket?endpoint=a:b", "scheme"}, {"s3://bucket?endpoint=a:0", "scheme"},
		{"s3://bucket?endpoint=a:65536", "scheme"}, {"s3://bucket?endpoint=", "empty"}, {"s3://bucket?endpoint=a&endpoint=", "empty"}, {"s3://bucket?endpoint=a&endpoint=A", "twice"},
		{"s3://bucket?endpoint=::1", "scheme"}, {"s3://bucket?endpoint=a@b", "scheme"}, {"s3://bucket?endpoint=[a]:1", "scheme"}, {"s3://bucket?endpoint=.a", "scheme"},
		{"s3://bucket?tls=no", "tls"}, {"s3://bucket?tls=", "tls"}, {"s3://bucket?tls=true&tls=true", "twice"}, {"s3://bucket?path-style=true", "path-style"},
		{"s3://bucket?region=a/b", "region"}, {"s3://bucket?region=a&region=a", "twice"}, {"s3://bucket?ca=x.pem", "absolute"}, {"s3://bucket?ca=/x&tls=false", "contradict"},
		{"s3://bucket?bogus=1", "the parameters are"}, {"s3://bucket?a=%zz", "name=value"}, {"s3://bucket?a;b", "name=value"},
	}
	for _, tt := range tests {
		c, err := s3.ParseURL(tt.text)
		if err == nil {
			t.Errorf("ParseURL(%q) = %+v, want an error", tt.text, c)
			continue
		}
		if !strings.Contains(err.Error(), tt.says) {
			t.Errorf("ParseURL(%q): error %q does not say %q", tt.text, err, tt.says)
		}
	}
}

// TestParseURLHidesKeys puts keys where people put them.
func TestParseURLHidesKeys(t *testing.T) {
	const access, secret = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	for _, text := range []string{
		"s3://" + access + ":" + secret + "@bucket/p", "s3://" + access + ":secret@bucket/p", "s3://" + access + "@bucket",
		"s3://bucket?access_key=" + access, "s3://bucket?AWS_SECRET_ACCESS_KEY=" + secret, "s3://bucket?" + access + "=" + secret,
		"s3://bucket?endpoint=" + access + ":" + secret + "@host", "s3://bucket?region=" + secret, "s3://bucket?session-token=" + secret,
		"s3://" + access, "s3://bucket/" + secret + "+/=", "s3://bucket/p#" + secret, "s3://bucket:" + secret, "s3://bucket?" + secret, "s3://bucket?tls=" + secret,
		"s3://bucket?ca=" + secret, "s3://bucket?path-style=" + access, "S4://" + access + "\x7f" + secret,
	} {
		_, err := s3.ParseURL(text)
		if err == nil {
			t.Errorf("ParseURL(%q) is accepted", text)
			continue
		}
		for _, part := range []string{access, secret, "MDENG", "wJalr"} {
			if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(part)) {
				t.Errorf("ParseURL(%q): error %q repeats %q", text, err, part)
			}
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"s3://bucket/p?endpoint=127.0.0.1:9000&tls=false", "s3://a.b-c?region=x&ca=/a&path-style=dns&endpoint=[::1]&endpoint=h", "s3://user:pass@bucket", "s3://b%41cket", "s3://bucket?ca=/%00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := s3.ParseURL(text)
		if err != nil {
			return
		}
		again, err := s3.ParseURL(c.String())
		if err != nil {
			t.Fatalf("ParseURL(%q) prints as %q: %v", text, c, err)
		}
		if diff := cmp.Diff(c, again); diff != "" || again.String() != c.String() {
			t.Fatalf("ParseURL(%q) prints as %q, which is another place:\n%s", text, c, diff)
		}
	})
}
