// SPDX-License-Identifier: Apache-2.0
// The commands of docs/kubernetes.md print what the page says. `UPDATE=1 npx vitest run test/docs/kubernetes` writes what they print.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hutchHost } from '../support/command.ts'
import { commandsOf, typed } from './console.ts'

const path = 'docs/kubernetes.md'
const directory = mkdtempSync(`${tmpdir()}/hutch-kube-docs-`)
afterAll(() => rmSync(directory, { recursive: true }))

const page = readFileSync(path, 'utf8')
const files = [...page.matchAll(/^```yaml\n# (\S+)\n([\s\S]*?)^```$/gm)]

beforeAll(() => {
  for (const [, name, text] of files) writeFileSync(`${directory}/${name}`, text!)
  writeFileSync(`${directory}/all.yaml`, files.map(([, , text]) => text).join('---\n'))
})

test(`${path} has commands`, () => expect(commandsOf(path).length).toBeGreaterThan(3))

test.skipIf(hutchHost !== 'node').for(commandsOf(path))(
  '%s prints what the page says (skipped elsewhere: hutch for Node)',
  async ([command, output]) => {
    const { stdout } = await typed(`{ ${command}\n} 2>&1`, directory, directory)
    if (process.env.UPDATE) {
      const block = `$ ${command}\n`
      const now = readFileSync(path, 'utf8')
      writeFileSync(path, now.replace(`${block}${output}`, `${block}${stdout}`))
    } else expect(stdout).toBe(output)
  },
)
