// Package park keeps connections that wait for their peer without a goroutine.
//
// A goroutine that waits costs its stack, and what it holds in buffers, for as
// long as its peer is silent, which for most clients of a mailbox is nearly
// always. A Lot is an epoll set of the kernel with places for connections. Who
// has nothing to do gives its goroutine up and gets a new one when there is:
//
//	spot, err := lot.Rent(conn, v.run)
//
//	func (v *visit) run() {
//		for v.work() { // all that has come
//			if !spot.Linger(until) {
//				v.forget()       // buffers
//				spot.Park(until) // run is called again
//				return
//			}
//		}
//		spot.Leave()
//		conn.Close()
//	}
//
// A dialogue that goes on is not parked between two lines: Linger waits a moment
// in the goroutine, as a read would.
//
// The loop that reads the epoll set does nothing but start goroutines, so nobody
// who is slow holds it up. When nobody came or went for a while it gives memory
// that the process does not use any more back to the kernel.
package park
