package bench

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock lets one command at a time change the bench. The lock goes with the process.
func (b *Bench) lock() (release func(), err error) {
	file, err := os.OpenFile(lockFile, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		fmt.Fprintln(b.out, "another command changes the bench; waiting for it")
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
			return nil, err
		}
	}
	return func() { file.Close() }, nil
}
