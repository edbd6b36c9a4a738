package main

// queue looks after the queue.
func queue(e *env, args []string) error { return usage("queue") }
