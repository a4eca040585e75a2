// Keeps MiB of live objects, given as the argument, and replaces each of them once: garbage that has grown old.
const blocks = Number(process.argv[2])
const make = (k) => new Array(131_072).fill(k + 0.5)
const held = Array.from({ length: blocks }, (_, k) => make(k))
for (let k = 0; k < blocks; k++) held[k] = make(k + 1)
console.log('done')
