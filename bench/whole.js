// SPDX-License-Identifier: Apache-2.0
// Whole processes, by hyperfine(1), one after the other: a compiled file, the floor below it, bubblewrap,
// hutch in its place, and runc.
//   node bench/whole.js [RUNS]
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { buildFloor, bundle } from './contenders.js'

const cli = fileURLToPath(new URL('../dist/cli.cjs', import.meta.url))
const work = mkdtempSync(`${tmpdir()}/hutch-bench-`)
process.on('exit', () => rmSync(work, { recursive: true, force: true }))
const line = '--unshare-all --ro-bind / / --proc /proc --dev /dev /bin/busybox true'

function hutch(...args) {
  const { status, stderr } = spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

hutch('compile', '--output', `${work}/compiled`, '--bwrap', ...line.split(' '))
hutch('links', '--dir', work)
buildFloor(work)
const commands = [
  ['the program alone', '/bin/busybox true'],
  ['a compiled file', `${work}/compiled`],
  // the same container from a C program that checks nothing and reports nothing
  [
    'system calls alone',
    `${work}/floor /bin/busybox once mount user cgroup uts ipc pid net init lo root=/ proc dev pts`,
  ],
  ['bwrap', `bwrap ${line}`],
  ['hutch, by the link bwrap', `${work}/bwrap ${line}`],
]
if (existsSync('/usr/sbin/runc'))
  commands.push(['runc run', `sh -c 'exec runc run --bundle ${bundle(work, 'runc')} bench-$$'`])
const named = commands.flatMap(([name, command]) => ['--command-name', name, command])
const runs = process.argv[2] ?? '200'
spawnSync('hyperfine', ['--shell=none', '--warmup', '5', '--runs', runs, ...named], { stdio: 'inherit' })
