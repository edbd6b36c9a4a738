package index

// Columns is how many columns an index has.
const Columns = 2
