package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"savepoint/repo/storage"
)

// testListOrder compares List with a filter over the sorted names, for every
// prefix and after that is interesting.
func testListOrder(t *testing.T, s storage.Store) {
	all := []string{
		"a-b", "a.b", "a/b", "a/b-c", "a/b.c", "a/c/d", "a/c-d", "a/c.d/e", "a0", "ab", "a_b", "aB",
		"a-b-c/d", "a.d/x", "A/z", "0", "9/9", "_/_", "-/-", "z", "b/a/a", "b/a-a/a", "b/a.a", "b/a0/a",
	}
	for _, name := range all {
		put(t, s, name, []byte(name))
	}
	slices.Sort(all)
	prefixes := []string{"", "a", "a-", "a/", "a/b", "a/c", "a/c.", "a/c/", "a/c/d", "a/c/d/", "b/a", "b/a/", "b/", "z", "zz", "a//", "/", "../", "./", "a/../", "-", "q/", "a/c/d/e"}
	afters := []string{"", "-", "0", "a", "a-b", "a-c", "a.", "a/", "a/b", "a/b/zz", "a/c", "a/c-d", "a/c/d", "a/c/z", "a0", "b/a", "b/a/a", "b/a/z", "b/a.a", "zz", "~"}
	for _, prefix := range prefixes {
		for _, after := range afters {
			var wanted []string
			for _, name := range all {
				if strings.HasPrefix(name, prefix) && name > after {
					wanted = append(wanted, name)
				}
			}
			got := list(t, s, prefix, after)
			if !slices.Equal(names(got), wanted) {
				t.Errorf("List(%q, %q) = %q, want %q", prefix, after, names(got), wanted)
			}
			for _, info := range got {
				if info.Size != int64(len(info.Name)) || info.Time.IsZero() {
					t.Errorf("List(%q, %q) yields %+v", prefix, after, info)
				}
			}
		}
	}
}

func testListBreak(t *testing.T, s storage.Store) {
	for i := range 6 {
		put(t, s, fmt.Sprintf("%d/o", i), []byte("x"))
	}
	seq := s.List(t.Context(), "", "")
	for range 2 { // a sequence can be iterated again
		var got []string
		for info, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, info.Name); len(got) == 3 {
				break
			}
		}
		if !slices.Equal(got, []string{"0/o", "1/o", "2/o"}) {
			t.Errorf("List up to the break = %q", got)
		}
	}
	for _, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if got := list(t, s, "", ""); len(got) != 6 {
		t.Errorf("List after a break = %q", names(got))
	}
}

// testListLive uses the store in the body of the loop.
func testListLive(t *testing.T, s storage.Store) {
	var all []string
	for i := range 10 {
		all = append(all, fmt.Sprintf("live/%d/o", i))
		put(t, s, all[i], []byte("x"))
	}
	var got []string
	for info, err := range s.List(t.Context(), "live/", "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Name)
		if err := s.Delete(t.Context(), info.Name); err != nil {
			t.Fatal(err)
		}
		put(t, s, "elsewhere", []byte("x"))
	}
	if !slices.Equal(got, all) {
		t.Errorf("List = %q, want %q", got, all)
	}
	if left := names(list(t, s, "", "")); !slices.Equal(left, []string{"elsewhere"}) {
		t.Errorf("List = %q after all were deleted", left)
	}
}

// testListLarge has more objects than a page of any listing.
func testListLarge(t *testing.T, s storage.Store) {
	const objects, workers = 2000, 16
	all := make([]string, objects)
	for i := range all {
		all[i] = fmt.Sprintf("data/%02x/%04d", (i*37)%64, i)
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < objects; i += workers {
				if err := putErr(t, s, all[i], strings.NewReader("x"), 1); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(all)
	if got := names(list(t, s, "", "")); !slices.Equal(got, all) {
		t.Fatalf("List yields %d objects that are not the %d in order", len(got), objects)
	}
	if got := names(list(t, s, "data/", all[1500])); !slices.Equal(got, all[1501:]) {
		t.Errorf("List after the 1,501st yields %d objects", len(got))
	}
	n := 0
	for i := range 64 {
		n += len(list(t, s, fmt.Sprintf("data/%02x/", i), ""))
	}
	if n != objects {
		t.Errorf("the prefixes hold %d objects, want %d", n, objects)
	}
}
