package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
)

// changeProfiles lets one player in a hundred earn gold.
func changeProfiles(live string) error {
	files, err := regularFiles(live)
	if err != nil {
		return err
	}
	gold := regexp.MustCompile(`"gold": \d+`)
	rng := rand.New(rand.NewPCG(seed, 5))
	for _, i := range rng.Perm(len(files))[:max(1, len(files)/100)] {
		data, err := os.ReadFile(files[i])
		if err != nil {
			return err
		}
		earned := gold.ReplaceAll(data, fmt.Appendf(nil, `"gold": %d`, 1_000_000+rng.IntN(1_000_000)))
		if err := os.WriteFile(files[i], earned, 0o644); err != nil {
			return err
		}
	}
	return nil
}
