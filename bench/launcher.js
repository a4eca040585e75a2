// SPDX-License-Identifier: Apache-2.0
// What the package's `hutch`, a few lines of sh, adds to the binary without Node: whole processes in turns, each way first equally often.
//   npm run build:release && node bench/launcher.js [ROUNDS]
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'

const rounds = Number(process.argv[2] ?? 300)
const work = mkdtempSync(`${tmpdir()}/hutch-bench-`)
process.on('exit', () => rmSync(work, { recursive: true, force: true }))
const release = `${import.meta.dirname}/../release`
const packages = readdirSync(release).filter((name) =>
  new RegExp(`^hutch-(\\d.*|linux-${process.arch}-.*)\\.tgz$`).test(name),
)
writeFileSync(`${work}/package.json`, '{ "name": "user", "version": "1.0.0" }\n')
const install = ['install', '--offline', '--ignore-scripts', ...packages.map((name) => `${release}/${name}`)]
execFileSync('npm', install, { cwd: work, stdio: 'ignore' })
mkdirSync(`${work}/links`)
const modules = `${work}/node_modules`
const ways = {
  'sh alone': ['/bin/sh', '-c', ':'],
  'the binary': [`${modules}/hutch-linux-${process.arch}/hutch`, '--version'],
  'node_modules/.bin/hutch': [`${modules}/.bin/hutch`, '--version'],
  "the package's hutch for Node": [process.execPath, `${modules}/hutch/dist/cli.cjs`, '--version'],
}
const env = { PATH: process.env.PATH, HOME: work }
const times = new Map(Object.keys(ways).map((name) => [name, []]))
const names = Object.keys(ways)
for (let round = 0; round < rounds; round++)
  for (const i of names.keys()) {
    const name = names[(round + i) % names.length]
    const [file, ...args] = ways[name]
    const start = process.hrtime.bigint()
    spawnSync(file, args, { env, stdio: 'ignore' })
    times.get(name).push(Number(process.hrtime.bigint() - start) / 1e6)
  }
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]
for (const [name, list] of times) console.log(`${name.padEnd(30)} ${median(list).toFixed(2)} ms`)
