// Package miniotest runs real object storage servers for tests: MinIO, and the Versity gateway as the second opinion.
//
// MinIO and VersityGW start a process on a free port of 127.0.0.1 with random credentials and its data in a temporary
// folder. It is killed when the test that started it ends, and by the kernel when the test process dies. A test logs
// which server in which version it ran against.
//
// `make servers` installs the programs. Where one is missing the test fails and says so; only a short run without
// STORE_REQUIRE skips.
//
// Between a client and a server there can stand a Proxy, which speaks HTTP and injects faults into single requests,
// or a Toxic, which knows nothing of HTTP and harms the connection. An outage is Stop and Start, a frozen server Pause
// and Resume.
//
// What a method here cannot do ends the test that asked for it. All methods may be called from several goroutines, but
// those that can end a test, as ever, only from the test's own.
package miniotest
