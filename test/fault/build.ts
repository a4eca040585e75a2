// SPDX-License-Identifier: Apache-2.0
// hutch with the fault switch: the C core built with it (native/fault/fault.c) and the same TypeScript bundled beside it.
// A copy of its own in a directory of its own, so that nothing that ships has a way to reach it.
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { pathToFileURL } from 'node:url'
import { build, stop } from 'esbuild'

/** What the bundle gives. */
export type Hutch = typeof import('../../src/run/job.ts') &
  typeof import('../../src/run/launch.ts') &
  typeof import('../../src/run/load-parsers.ts') &
  typeof import('../../src/run/ungrouped.ts') &
  typeof import('../../src/pool/prestarted.ts') &
  typeof import('../../src/options/options.ts') &
  typeof import('../../src/pool/job-request.ts') &
  typeof import('../../src/plan/unshare.ts') &
  typeof import('../../src/system/native.ts')

/** Refuses the `call`th system call of a section with this errno. */
export interface Fault {
  section: 'outer' | 'inner'
  call: number
  errno: number
}

/** The call that was refused: the step of its section in which it was, and its name if fault.c knows it, else "other". */
export interface Refused {
  step: number
  call: string
}

/** The build, the switch, and what to take away at the end. */
export interface Faulty {
  hutch: Hutch
  directory: string
  /** Runs `body`, which launches one program, without streams; what was refused in it, undefined for nothing. */
  during<T>(fault: Fault, body: () => Promise<T>): Promise<[T, Refused | undefined]>
  remove(): void
}

export async function buildFaulty(): Promise<Faulty> {
  const directory = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-faults-`)
  execFileSync('sh', ['native/build.sh', '--faults', `${directory}/build`], { stdio: 'inherit' })
  await build({
    stdin: {
      contents: [
        'run/job',
        'run/launch',
        'run/load-parsers',
        'run/ungrouped',
        'pool/prestarted',
        'options/options',
        'pool/job-request',
        'plan/unshare',
        'system/native',
      ]
        .map((name) => `export * from './src/${name}.ts'`)
        .join('\n'),
      resolveDir: process.cwd(),
    },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    outfile: `${directory}/dist/faulty.mjs`,
    logLevel: 'warning',
  })
  await stop()
  const hutch = (await import(pathToFileURL(`${directory}/dist/faulty.mjs`).href)) as Hutch
  const addon = hutch.native()
  const { launch, order } = addon
  const path = `${directory}/stderr`
  const stderr = openSync(path, 'a+')
  let word = 0
  // the last word of the header is the switch
  addon.launch = (program) => {
    Buffer.from(program.buffer, program.byteOffset, 16).writeUInt32LE(word, 12)
    return launch(program, Int32Array.of(-1, -1, stderr))
  }
  addon.order = (job, ops, _streams, ...times) => order(job, ops, Int32Array.of(-1, -1, stderr), ...times)
  return {
    hutch,
    directory,
    async during({ section, call, errno }, body) {
      ftruncateSync(stderr)
      word = ((section === 'inner' ? 2 ** 31 : 0) + errno * 2 ** 16 + call) >>> 0
      const result = await body().finally(() => {
        word = 0
      })
      const said = /hutch-fault (\d+) (\w+)/.exec(readFileSync(path, 'latin1'))
      return [result, said ? { step: Number(said[1]), call: said[2]! } : undefined]
    },
    remove() {
      closeSync(stderr)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
