// SPDX-License-Identifier: Apache-2.0
// hutch as a user without any rights: the checkout may be where only root may enter, so this user gets a copy.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll } from 'vitest'
import { begin, collect, type Ended } from './cli/hutch.ts'

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
  if (!copy) {
    copy = mkdtempSync(`${tmpdir()}/hutch-anyone-`)
    for (const part of ['dist', 'build', 'examples', 'package.json'])
      cpSync(part, `${copy}/${part}`, { recursive: true })
    await collect('chmod', ['-R', 'a+rX', copy])
  }
  const drop = ['setpriv', '--reuid', String(id), '--regid', String(id), '--clear-groups']
  const words = [...before, ...drop, process.execPath, `${copy}/dist/cli.cjs`, ...args]
  return begin(words[0]!, words.slice(1), { cwd: '/' })
}
