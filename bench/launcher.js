// SPDX-License-Identifier: Apache-2.0
// What the package's `hutch`, a few lines of sh, adds to the binary without Node: whole processes, by hyperfine(1), one after the other.
//   npm run build:release && node bench/launcher.js [RUNS]
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'

const work = mkdtempSync(`${tmpdir()}/hutch-bench-`)
process.on('exit', () => rmSync(work, { recursive: true, force: true }))
const release = `${import.meta.dirname}/../release`
const wanted = new RegExp(`^hutch-(\\d.*|linux-${process.arch}-.*)\\.tgz$`)
const packages = readdirSync(release).filter((name) => wanted.test(name))
writeFileSync(`${work}/package.json`, '{ "name": "user", "version": "1.0.0" }\n')
const install = ['install', '--offline', '--ignore-scripts', ...packages.map((name) => `${release}/${name}`)]
execFileSync('npm', install, { cwd: work, stdio: 'ignore' })
const modules = `${work}/node_modules`
const commands = [
  ['sh alone', '/bin/sh -c :'],
  ['the binary', `${modules}/hutch-linux-${process.arch}/hutch --version`],
  ['node_modules/.bin/hutch', `${modules}/.bin/hutch --version`],
  ["the package's hutch for Node", `${process.execPath} ${modules}/hutch/dist/cli.cjs --version`],
]
const named = commands.flatMap(([name, command]) => ['--command-name', name, command])
const runs = process.argv[2] ?? '300'
spawnSync('hyperfine', ['--shell=none', '--warmup', '5', '--runs', runs, ...named], { stdio: 'inherit' })
