package seal_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/needtest"
	"savepoint/repo/seal"
)

const vectorsFile = "../../testdata/format/vectors.json"

// `go test ./repo/seal -run Vectors -update` writes the file. It refuses where the file is of a declared version: what has
// been written with those bytes must be read for ever.
var update = flag.Bool("update", false, "write the test vectors, unless they are those of a declared format version")

// vectors is the file; all values that are bytes are hex.
type vectors struct {
	About    string            `json:"about"`
	Version  int               `json:"version"`
	Inputs   vectorInputs      `json:"inputs"`
	SubKeys  map[string]string `json:"sub_keys"`
	Objects  map[string]string `json:"object_keys"`
	Chunks   []vectorChunk     `json:"chunk_ids"`
	Tag      vectorTag         `json:"source_tag"`
	Cuts     []vectorCut       `json:"page_cuts"`
	Config   vectorConfig      `json:"config"`
	Slot     vectorSlot        `json:"slot"`
	Envelope vectorEnvelope    `json:"envelope"`
	Pack     vectorPack        `json:"pack"`
	Page     vectorTree        `json:"page"`
	List     vectorList        `json:"node_list"`
	Segment  vectorSegment     `json:"segment"`
}

type vectorInputs struct {
	Key    string `json:"key"`
	Epoch  uint32 `json:"epoch"`
	Domain uint32 `json:"domain"`
	Repo   string `json:"repository_id"`
	Salt   string `json:"salt"`
}

type vectorChunk struct {
	Plain string `json:"plain"`
	Data  string `json:"data_chunk_id"`
	Tree  string `json:"tree_chunk_id"`
}

type vectorTag struct {
	Dataset string `json:"dataset_text"`
	Host    string `json:"host_text"`
	Tag     string `json:"tag"`
}

type vectorCut struct {
	X string `json:"x"`
	H string `json:"h"`
}

type vectorConfig struct {
	Payload string `json:"payload"`
	Bytes   string `json:"bytes"`
}

type vectorSlot struct {
	Identity string `json:"identity_text"`
	Plain    string `json:"plain"`
	Bytes    string `json:"bytes"`
}

type vectorEnvelope struct {
	Kind    int    `json:"kind"`
	Name    string `json:"name_text"`
	Payload string `json:"payload_text"`
	Length  int    `json:"length"`
	Head    string `json:"first_100_bytes"`
	Tail    string `json:"last_132_bytes"`
	BLAKE3  string `json:"blake3"`
}

type vectorPack struct {
	Blocks [][]string `json:"chunks_of_blocks"`
	ID     string     `json:"pack_id"`
	Bytes  string     `json:"bytes"`
}

type vectorTree struct {
	ID         string `json:"tree_chunk_id"`
	Bytes      string `json:"bytes"`
	Diagnostic string `json:"diagnostic_text"`
}

type vectorList struct {
	Elements string       `json:"elements_text"`
	Nodes    []vectorTree `json:"nodes"`
	Entry    vectorTree   `json:"root_entry"`
}

type vectorSegment struct {
	Lease   string `json:"lease_id"`
	Began   int64  `json:"began"`
	Renewed int64  `json:"renewed"`
	Payload string `json:"payload"`
}

// addSlot takes over the slot of the file if it holds what it should, since a slot cannot be made twice, or makes one.
func addSlot(t *testing.T, v, old *vectors) {
	config, err := hex.DecodeString(v.Config.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	want := vectorSlotContent(config)
	id, err := seal.ParseIdentity(old.Slot.Identity)
	if err == nil {
		b, _ := hex.DecodeString(old.Slot.Bytes)
		if got, err := seal.OpenSlot(b, id); err == nil && cmp.Equal(got, want) {
			v.Slot = old.Slot
			return
		}
	}
	if !*update {
		t.Fatal("the slot of the vectors does not hold the key set of the vectors")
	}
	secret, _, to := machine(t)
	v.Slot = vectorSlot{secret, "", hex.EncodeToString(mustSlot(t, want, to, nil))}
}

// TestVectors makes every vector anew and compares it with the file.
func TestVectors(t *testing.T) {
	raw, err := os.ReadFile(vectorsFile)
	if err != nil && !*update {
		t.Fatal(err)
	}
	var old vectors
	if err := json.Unmarshal(raw, &old); err != nil && len(raw) > 0 {
		t.Fatal(err)
	}
	t.Run("make", func(t *testing.T) {
		v := makeVectors(t)
		defer func() { old = *v }()
		if v.Slot = old.Slot; *update {
			return
		}
		if d := cmp.Diff(&old, v); d != "" {
			t.Errorf("the code makes other bytes, -vectors +code:\n%s", d)
		}
	})
	// With real randomness again.
	v := old
	addSlot(t, &v, &old)
	v.Slot.Plain = slotPlain(&v)
	if !*update {
		if d := cmp.Diff(old.Slot, v.Slot); d != "" {
			t.Errorf("slot, -vectors +code:\n%s", d)
		}
		return
	}
	var was struct{ Version int }
	_ = json.Unmarshal(raw, &was)
	if was.Version > 0 {
		t.Fatalf("the vectors are those of format version %d, which is declared: they never change", was.Version)
	}
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorsFile, append(out, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// slotPlain returns what the slot holds, by the text of section 2.
func slotPlain(v *vectors) string {
	n := len(v.Config.Bytes) / 2
	return "a301818300005820" + v.Inputs.Key + "0250" + v.Inputs.Repo + fmt.Sprintf("0358%02x", n) + v.Config.Bytes
}

// TestVectorsInDocs holds the table of docs/format.md to the file, and runs the commands beneath it.
func TestVectorsInDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(doc), "<!-- vectors -->")
	if !found {
		t.Fatal("docs/format.md has no place for the vectors")
	}
	raw, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{"object key of kind 8 (data pack)": v.Objects["8"], "data chunk ID of `abc`": v.Chunks[1].Data,
		"tree chunk ID of `abc`": v.Chunks[1].Tree, "source tag of dataset `world`, host `world-1`": v.Tag.Tag}
	for name, k := range v.SubKeys {
		rows["sub-key "+name] = k
	}
	for _, c := range v.Cuts {
		x, err := hex.DecodeString(c.X)
		if err != nil {
			t.Fatal(err)
		}
		rows["h(`"+string(x)+"`)"] = c.H
	}
	for what, digits := range rows {
		if row := "| " + what + " | `" + digits + "` |\n"; !strings.Contains(section, row) {
			t.Errorf("docs/format.md lacks the row %q", row)
		}
	}
	_, script, _ := strings.Cut(section, "```sh\n")
	script, _, found = strings.Cut(script, "```")
	if !found {
		t.Fatal("docs/format.md has no commands beneath the vectors")
	}
	for _, program := range []string{"sh", "age", "b3sum", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			needtest.Without(t, program, program+" is not installed; `make deps` installs it")
		}
	}
	cmd := exec.Command("sh", "-eu", "-c", script)
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	if want := v.Chunks[1].Data + "\n" + v.Pack.ID + "\n"; err != nil || string(out) != want {
		t.Errorf("the commands print %q, %v; want %q", out, err, want)
	}
}
