package archtest

// allowed lists, for each package, the only packages of this module that it
// may import outside its tests. Data goes source → chunk → pack → storage; the
// index stands beside repo and knows nothing of storage; storage knows nothing
// of anything. A row without a package fails, so a new package brings its row
// and one that goes takes it away.
var allowed = map[string][]string{
	"chunk":        {},
	"index":        {"chunk", "repo/pack", "repo/record"},
	"repo":         {"chunk", "index", "repo/pack", "repo/seal", "repo/tree", "repo/record", "repo/storage", "internal/adapt", "internal/usage"},
	"repo/pack":    {"chunk", "repo/seal"},
	"repo/tree":    {"chunk", "internal/wire"},
	"repo/seal":    {"internal/wire"},
	"repo/record":  {"chunk", "repo/pack", "internal/usage", "internal/wire"},
	"repo/source":  {"chunk", "repo/tree"},
	"repo/backup":  {"chunk", "repo", "repo/source", "repo/tree", "repo/record", "internal/usage"},
	"repo/restore": {"chunk", "repo", "repo/tree", "repo/pack", "internal/adapt", "internal/usage"},

	"verify":              {"internal/usage"},
	"verify/check":        {"chunk", "repo", "repo/pack", "repo/record", "repo/storage", "repo/tree", "verify", "internal/adapt", "internal/bytesize", "internal/when"},
	"verify/health":       {"repo", "repo/tree", "repo/pack", "repo/record", "verify", "verify/measure", "internal/bytesize", "internal/usage", "internal/when"},
	"verify/health/send":  {},
	"verify/health/serve": {"verify/health"},
	"verify/probe":        {"verify", "internal/bytesize"},
	"verify/drill":        {"chunk", "repo", "repo/pack", "repo/tree", "repo/record", "repo/source", "repo/restore", "verify", "verify/probe", "internal/bytesize", "internal/when"},

	"verify/measure": {},

	"repo/storage":   {},
	"repo/storage/*": {"repo/storage"},

	"bench":     {"..."},
	"cmd/store": {"...", "!bench", "!repo/storage/storetest", "!internal/archtest", "!internal/corpus/..."},

	"internal/adapt":            {},
	"internal/adapt/linktest":   {"repo/storage"},
	"internal/archtest":         {},
	"internal/bytesize":         {},
	"internal/corpus":           {},
	"internal/corpus/cmd/world": {"internal/corpus", "internal/corpus/world"},
	"internal/corpus/world":     {},
	"internal/demo/picture":     {},
	"internal/kit":              {},
	"internal/miniotest":        {"internal/needtest"},
	"internal/needtest":         {},
	"internal/policy":           {"internal/bytesize", "internal/when"},
	"internal/reader":           {},
	"internal/when":             {},
	"internal/usage":            {},
	"internal/wire":             {},
}

// standardOnly are packages that import nothing but the standard library.
var standardOnly = []string{"repo/storage"}

// fences say where a package from outside may be imported, outside tests. What
// is neither here nor in the standard library may not be imported at all: a
// new dependency is a decision, and this is where it shows.
var fences = []fence{
	{Import: "testing", Packages: []string{"repo/storage/storetest", "internal/miniotest", "internal/needtest", "internal/corpus/...", "internal/archtest"}},

	{Import: "github.com/restic/chunker", Packages: []string{"chunk"}},
	{Import: "github.com/zeebo/blake3", Packages: []string{"..."}},
	{Import: "github.com/dgraph-io/badger", Packages: []string{"index"}},
	{Import: "github.com/dgraph-io/ristretto/v2/z", Packages: []string{"index"}}, // buffers of a StreamWriter
	{Import: "github.com/minio/minio-go", Packages: []string{"repo/storage/s3", "internal/miniotest"}},
	{Import: "golang.org/x/time", Packages: []string{"repo/storage/limit"}},
	{Import: "github.com/Shopify/toxiproxy", Packages: []string{"internal/miniotest"}},

	{Import: "filippo.io/age", Packages: []string{"repo/seal"}},
	{Import: "github.com/klauspost/compress", Packages: []string{"repo/pack"}},
	{Import: "github.com/fxamacker/cbor", Packages: []string{"internal/wire"}},
	{Import: "github.com/goccy/go-yaml", Packages: []string{"internal/policy"}},
	{Import: "github.com/robfig/cron/v3", Packages: []string{"internal/policy"}},
	{Import: "github.com/prometheus/client_golang", Packages: []string{"repo/storage/meter", "cmd/..."}, Files: []string{"metrics.go"}},
	{Import: "github.com/prometheus/common/expfmt", Packages: []string{"verify/health"}},

	{Import: "github.com/spf13/cobra", Packages: []string{"cmd/..."}},
	{Import: "github.com/spf13/pflag", Packages: []string{"cmd/..."}},
	{Import: "github.com/mattn/go-runewidth", Packages: []string{"cmd/..."}},
	{Import: "github.com/vbauerster/mpb", Packages: []string{"cmd/..."}},
	{Import: "github.com/dustin/go-humanize", Packages: []string{"cmd/..."}},
	{Import: "golang.org/x/term", Packages: []string{"cmd/..."}},

	{Import: "golang.org/x/crypto", Packages: []string{"repo/seal"}},
	{Import: "golang.org/x/sync", Packages: []string{"..."}},
	{Import: "golang.org/x/sys", Packages: []string{"..."}},
}

// topLevel are the names that may stand at the root of the repository, beside
// those that begin with a dot. Another one needs a decision record.
var topLevel = []string{
	"cmd", "chunk", "repo", "index", "verify", "bench", "docs", "go.mod", "go.sum", "Makefile", "README.md",
	"internal", "testdata", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "staticcheck.conf",
	"bin", // what make build makes, ignored by git
}

// vagueNames say nothing of what a package holds.
var vagueNames = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "y"}

// maxSuppressions is the number of //lint:ignore comments in the module. It
// may only fall.
const maxSuppressions = 0

// Limits of length, in lines. Those of tests are twice as high. Literal tables
// do not count.
const (
	warnFile = 400
	maxFile  = 600
	maxFunc  = 100
)
