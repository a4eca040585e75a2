// SPDX-License-Identifier: Apache-2.0
// The commands of docs/why.md are run again.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { collect } from '../cli/hutch.ts'
import { hutchLine } from '../support/command.ts'

const bin = mkdtempSync(`${tmpdir()}/hutch-why-docs-`)
writeFileSync(`${bin}/hutch`, `#!/bin/sh\nexec ${hutchLine} "$@"\n`)
chmodSync(`${bin}/hutch`, 0o755)
afterAll(() => rmSync(bin, { recursive: true }))

const page = readFileSync('docs/why.md', 'utf8')
const commands = [...page.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, block]) =>
  [...block!.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)].map((match) => [match[1]!, match[2]!] as const),
)

/** Figures differ from run to run; the kernel's log may leave the victim out, and newer v1 hosts do not count limit hits. */
function steady(text: string): string {
  return text
    .replace(/^(not known: .*\n| {2}(victim|pressure) .*\n|\n(?=not known))/gm, '')
    .replace(/ {3}limit hit \d+ times?/g, '')
    .replace(/peak (?!8\.0 )[\d.]+ \w+/g, 'peak …')
    .replace(/--cpus [\d.]+/g, '--cpus N')
    .replace(/memory\.max=\d+[MG]/g, 'memory.max=N')
    .replace(/(?<!memory\.max {3}|peak )\b(?!20000|100000)\d+(\.\d+)?( (ms|s))?(?= ?%|,| |\)|$)/gm, 'N')
}

test('docs/why.md has commands', () => expect(commands.length).toBeGreaterThan(4))

test.each(commands)('%s prints what the page says', async (command, output) => {
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` }
  const { stdout } = await collect('sh', ['-c', `{ ${command}\n} 2>&1`], { env, cwd: bin })
  expect(steady(stdout)).toBe(steady(output))
})
