package s3_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
)

// stub opens a store on a server that answers what no real one does. It lists nothing
// to begin with.
func stub(t *testing.T, answer http.HandlerFunc) *s3.Store {
	t.Helper()
	opened := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !opened {
			opened = true
			fmt.Fprint(w, `<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	s, err := s3.Open(t.Context(), s3.Config{Bucket: "bucket", Endpoints: []string{srv.Listener.Addr().String()}, Insecure: true, Keys: s3.Keys{Access: "a", Secret: "s"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestUnorderedListing(t *testing.T) {
	s := stub(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `<ListBucketResult><IsTruncated>false</IsTruncated>`)
		for _, key := range []string{"a", "c", "b"} {
			fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>1</Size><LastModified>2026-01-02T03:04:05.678Z</LastModified></Contents>`, key)
		}
		fmt.Fprint(w, `</ListBucketResult>`)
	})
	var names []string
	var failed error
	for info, err := range s.List(t.Context(), "", "") {
		if failed = err; err == nil {
			names = append(names, info.Name)
		}
	}
	if strings.Join(names, "") != "ac" {
		t.Errorf("List = %q, want what is in order", names)
	}
	wantErr(t, failed, nil, false)
}

func TestListingSkips(t *testing.T) {
	s := stub(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `<ListBucketResult><IsTruncated>false</IsTruncated>`)
		for _, key := range []string{"a b", "dir/", "empty", "o"} {
			size := 1
			if key == "empty" {
				size = 0
			}
			fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>%d</Size><LastModified>2026-01-02T03:04:05.678Z</LastModified></Contents>`, key, size)
		}
		fmt.Fprint(w, `</ListBucketResult>`)
	})
	var got []storage.Info
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info)
	}
	if len(got) != 1 || got[0].Name != "o" || got[0].Time.Format("15:04:05.999") != "03:04:05" {
		t.Errorf("List = %+v, want o alone, with whole seconds", got)
	}
}

// TestDeleteInPart has a server that deletes one of three objects, refuses one and does
// not mention the last.
func TestDeleteInPart(t *testing.T) {
	s := stub(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>`)
	})
	err := s.Delete(t.Context(), "a", "b", "c")
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 2 {
		t.Fatalf("Delete = %v, want two errors", err)
	}
	for i, name := range []string{"b", "c"} {
		oe, ok := errors.AsType[*storage.OpError](joined.Unwrap()[i])
		if !ok || oe.Name != name || oe.Op != "delete" || errors.Is(oe, storage.ErrDenied) != (name == "b") {
			t.Errorf("error %d is %v, want one of %s", i, joined.Unwrap()[i], name)
		}
	}
}

// TestDeleteOneByOne has a server that cannot delete several objects at once.
func TestDeleteOneByOne(t *testing.T) {
	var deleted []string
	s := stub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusNotImplemented)
			fmt.Fprint(w, `<Error><Code>NotImplemented</Code></Error>`)
			return
		}
		deleted = append(deleted, r.Method+" "+r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	})
	if err := s.Delete(t.Context(), "a", "b"); err != nil {
		t.Error(err)
	}
	if got := strings.Join(deleted, ", "); got != "DELETE /bucket/a, DELETE /bucket/b" {
		t.Errorf("requests are %s", got)
	}
}

// TestForeignPage has a page of something else say that an object is not there.
func TestForeignPage(t *testing.T) {
	s := stub(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `<html><body>Not here.</body></html>`)
	})
	for name, do := range calls(s, "o") {
		err := do(t.Context())
		if err == nil {
			t.Errorf("%s succeeds", name)
			continue
		}
		wantErr(t, err, nil, false)
	}
}
