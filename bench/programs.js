// SPDX-License-Identifier: Apache-2.0
// The programs that hutch runs for the options of a start, for bench/program.c: the planner itself, bundled on the fly.
import { spawn, spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const entry = `
import { loadFilter } from './src/run/load-parsers.ts'
import { parseOptions } from './src/options/options.ts'
import { prepare } from './src/run/launch.ts'
import { encodeProgram } from './src/ops/wire.ts'
export async function encode(file, options) {
  const spec = parseOptions(file, [], options, 'library', undefined, 'start')
  return Buffer.from(encodeProgram(prepare(spec, await loadFilter(spec)).program))
}`

/** Returns a function that encodes the program for a file and options. It bundles into dist/, from where the C core is found. */
export async function loadPlanner() {
  const outfile = `${root}dist/bench-${process.pid}.cjs`
  await build({
    stdin: { contents: entry, resolveDir: root },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'warning',
    banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href" },
    define: { 'import.meta.url': 'importMetaUrl' },
    outfile,
  })
  try {
    return createRequire(import.meta.url)(outfile).encode
  } finally {
    rmSync(outfile)
  }
}

/** Builds bench/program.c. Returns the path of the binary. */
export function buildProgram(directory) {
  const sources = ['bench/program.c', 'native/lib/clone.c', 'native/wire/decode.c'].map((name) => root + name)
  const built = spawnSync('gcc', ['-O2', '-static', '-D_GNU_SOURCE', '-o', `${directory}/program`, ...sources])
  if (built.status !== 0) throw new Error(`gcc: ${built.stderr}`)
  return `${directory}/program`
}

/** A contender that runs an encoded program by system calls alone, and measures itself. */
export function programFloor(binary, bytes, file) {
  writeFileSync(file, bytes)
  const child = spawn(binary, [file], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    run: async () => {
      child.stdin.write('go\n')
      const { value, done } = await lines.next()
      if (done) throw new Error(`the floor ended: ${file}`)
      return Number(value) / 1000
    },
    close: () => child.stdin.end(),
  }
}
