// SPDX-License-Identifier: Apache-2.0
// A process that launches a Spec by the library's internals and then only waits: for tests in which the process that started a job ends.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { buildSync } from 'esbuild'
import { afterAll } from 'vitest'
import type { RunOptions } from '../../src/options/options.ts'
import type { Spec } from '../../src/options/spec.ts'
import type { Plan } from '../../src/plan/plan.ts'

const code = `
import { parseOptions } from './src/options/options.ts'
import { launch } from './src/run/launch.ts'
const { command, options, inputs } = JSON.parse(process.argv[2])
const { pid, plan } = launch({ ...parseOptions(command[0], command.slice(1), options, 'library'), ...inputs }, [-1, -1, -1])
console.log(JSON.stringify({ pid, plan }))
process.stdin.on('data', () => process.exit(0)).resume()
`

/** Inputs of a Spec that no option sets. */
export type Inputs = Partial<Pick<Spec, 'group' | 'dieWithParent' | 'rest' | 'root'>>

export interface Made {
  maker: ChildProcess
  pid: number
  plan: Plan
}

const bundles = new Map<string, string>()

afterAll(() => {
  for (const directory of bundles.values()) rmSync(directory, { recursive: true, force: true })
})

/** Bundles a program that uses the library's internals, once. The addon is found beside the bundle's directory. */
export function bundleProgram(contents: string): string {
  const directory = bundles.get(contents) ?? mkdtempSync(`${tmpdir()}/hutch-maker-`)
  if (!bundles.has(contents)) {
    bundles.set(contents, directory)
    mkdirSync(`${directory}/dist`)
    symlinkSync(resolve('build'), `${directory}/build`)
    buildSync({
      stdin: { contents, resolveDir: process.cwd(), loader: 'ts' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: `${directory}/dist/maker.mjs`,
    })
  }
  return `${directory}/dist/maker.mjs`
}

/** Starts a process that launches the command. `maker.stdin.end('x')` ends that process in the regular way. */
export async function make(command: string[], options: RunOptions, inputs: Inputs): Promise<Made> {
  const file = bundleProgram(code)
  const maker = spawn(process.execPath, [file, JSON.stringify({ command, options, inputs })], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  for await (const line of createInterface(maker.stdout!))
    return { maker, ...(JSON.parse(line) as { pid: number; plan: Plan }) }
  throw new Error('the maker ended without a job')
}

/** Resolves when a process has ended. */
export function ended(child: ChildProcess): Promise<unknown> {
  return child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', resolve))
}
