package health_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"savepoint/verify/health"
)

// TestMetricsDocumented holds docs/operations.md to the metrics: every one has a row that says what it means, every row is one, and the
// rules speak of no others.
func TestMetricsDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	descs := make(chan *prometheus.Desc, 100)
	health.NewCollector(&health.Status{}, health.MetricsOptions{}).Describe(descs)
	close(descs)
	fqName := regexp.MustCompile(`fqName: "([^"]+)"`)
	registered := map[string]bool{}
	for d := range descs {
		registered[fqName.FindStringSubmatch(d.String())[1]] = true
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(savepoint_[^`]*)` \\| .{20,}").FindAllStringSubmatch(string(b), -1) {
		if documented[m[1]] {
			t.Errorf("%s is documented twice", m[1])
		}
		documented[m[1]] = true
	}
	for name := range registered {
		if !documented[name] {
			t.Errorf("%s is not documented", name)
		}
	}
	for name := range documented {
		if !registered[name] {
			t.Errorf("there is no metric %s", name)
		}
	}
	_, rules, _ := strings.Cut(string(b), "\n## Alert rules")
	for _, name := range regexp.MustCompile(`savepoint_\w+`).FindAllString(rules, -1) {
		if !registered[name] {
			t.Errorf("a rule speaks of %s, which is no metric", name)
		}
	}
	alerts := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)- alert: (\w+)$`).FindAllStringSubmatch(rules, -1) {
		alerts[m[1]] = true
	}
	for _, m := range regexp.MustCompile("Alerts?: (`\\w+`(?:, `\\w+`)*)").FindAllStringSubmatch(string(b), -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			if !alerts[strings.Trim(name, "`")] {
				t.Errorf("there is no rule %s", name)
			}
		}
	}
	if len(alerts) < 10 {
		t.Errorf("only %d rules were found", len(alerts))
	}
}
