// SPDX-License-Identifier: Apache-2.0
// hutch as a user without any rights: the checkout may be where only root may enter, so this user gets a copy.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll } from 'vitest'
import { begin, collect, type Ended } from '../cli/hutch.ts'
import { hutchIn, isNeeded } from './command.ts'

let copy: string | undefined

afterAll(() => {
  if (copy) rmSync(copy, { recursive: true })
  copy = undefined
})

/** `hutch run --quiet ARGS…` as this user and group, with no others and nothing but those; `before` runs it by way of another command. */
export async function runAs(id: number, args: string[], before: string[] = []): Promise<Ended> {
  return (await beginAs(id, args, before)).ended
}

/** The same, while it runs; the id is hutch's when what stands before becomes it. */
export async function beginAs(id: number, args: string[], before: string[] = []): Promise<ReturnType<typeof begin>> {
  return hutchAs(id, ['run', '--quiet', ...args], before)
}

/** Any command of hutch, as this user and group. */
export async function hutchAs(id: number, args: string[], before: string[] = []): Promise<ReturnType<typeof begin>> {
  return beginCommand(id, [...hutchIn(await copied()), ...args], before)
}

/** A program that uses the library, as this user and group. */
export async function nodeAs(id: number, script: string): Promise<Ended> {
  const module = `import { createPool, run, start } from '${await copied()}/dist/index.js'; ${script}`
  return beginCommand(id, [process.execPath, '--input-type=module', '-e', module], []).ended
}

async function copied(): Promise<string> {
  if (copy) return copy
  copy = mkdtempSync(`${tmpdir()}/hutch-anyone-`)
  // tests of the documents write and remove programs in folders of such names meanwhile, a VM's host too
  const filter = (path: string) => !path.endsWith('-test') && isNeeded(path)
  for (const part of ['dist', 'build', 'examples', 'package.json'])
    cpSync(part, `${copy}/${part}`, { recursive: true, filter })
  await collect('chmod', ['-R', 'a+rX', copy])
  return copy
}

function beginCommand(id: number, command: string[], before: string[]): ReturnType<typeof begin> {
  const drop = ['setpriv', '--reuid', String(id), '--regid', String(id), '--clear-groups']
  const words = [...before, ...drop, ...command]
  return begin(words[0]!, words.slice(1), { cwd: '/' })
}
