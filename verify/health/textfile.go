package health

import (
	"fmt"
	"os"
	"path/filepath"
)

// WriteTextfile puts text in place of the file at path, for the textfile collector of node_exporter: who opens the file sees all of the
// old one or all of the new one, whatever happens. Everybody may read it. After an error the old one is as it was.
func WriteTextfile(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.new") // not *.prom, which the exporter reads
	if err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // again, perhaps
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(text); err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return nil
}
