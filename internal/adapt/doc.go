// Package adapt limits how many transfers are on their way at a time, and finds that number by trying: what hides the latency of a
// distant store only fills the queue of a near one.
//
// # Method
//
// The limit climbs the hill of measured throughput. It is judged by windows, each of at least as many finished transfers as the
// limit allows and a tenth of a second. First it doubles, as TCP's slow start does (RFC 5681, 3.1), as long as what is added
// brings a fair part of what was there; later it tries a quarter more, or a quarter less, from time to time, ever more
// rarely while nothing comes of it, and keeps the lower limit when that costs little. An answer that asks for fewer requests
// halves the limit, once for all transfers that were under way, and it is raised again by steps: additive increase,
// multiplicative decrease (Chiu and Jain, Analysis of the Increase and Decrease Algorithms, 1989). When throughput falls
// by half without such an answer, half the limit is tried at once.
//
// Limiters that compare latencies instead, as TCP Vegas (Brakmo and Peterson, 1995) and the gradient limits of Netflix's
// concurrency-limits do, suppose that requests are alike. Here they are between a few KiB and 32 MiB, and their
// latency says first of all how long they are. So what is compared is bytes a second.
//
// # Measurement
//
// Throughput is the mean number of transfers on their way × the bytes of those that began and ended in the window / the sum of their
// durations (Little's law). Other than bytes / time of the window this does not depend on how many happen to end in it. A
// window in which fewer were on their way than the limit allows, because there was nothing to transfer or because nobody
// took what had come, says nothing of the limit, which then stays; a higher limit that nobody uses is taken back.
//
// There are no goroutines and no timers: everything happens in the calls.
package adapt
