// SPDX-License-Identifier: Apache-2.0
// Runs the examples of comments: each is a module of its own, all in one process. Used by api.test.ts.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { collect } from '../cli/hutch.ts'

export interface Example {
  name: string
  code: string
  /** The lines that the example prints: the comments after `console.log`. */
  prints: string[]
}

/** Returns the examples in a comment. */
export function examplesIn(name: string, comment: string): Example[] {
  return [...comment.matchAll(/@example\n([\s\S]*?)(?=@(?:throws|see|example)\b|$)/g)].map(([, code]) => ({
    name,
    code: code!,
    prints: [...code!.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, text]) => text!),
  }))
}

/** Runs the examples one after another, and returns what each prints. An example that throws prints the error. */
export async function runExamples(
  examples: readonly Example[],
  names: readonly string[],
): Promise<{ name: string; prints: string[] }[]> {
  // inside the package, so that `import … from 'hutch'` finds its exports
  const folder = mkdtempSync('build/examples-')
  try {
    const paths = examples.map(({ name, code }, i) => {
      const used = names.filter((one) => new RegExp(`\\b${one}\\b`).test(code))
      writeFileSync(`${folder}/${i}-${name}.mjs`, `import { ${used.join(', ')} } from 'hutch'\n${code}\n`)
      return `./${i}-${name}.mjs`
    })
    writeFileSync(`${folder}/all.mjs`, runner(paths))
    const { stdout, stderr, status } = await collect(process.execPath, [`${folder}/all.mjs`])
    if (status !== 0) throw new Error(`the examples ended with status ${status}: ${stderr}`)
    const printed = JSON.parse(stdout) as string[][]
    return examples.map(({ name }, i) => ({ name, prints: printed[i]! }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const runner = (paths: readonly string[]) => `
import { format } from 'node:util'
const print = console.log
const all = []
for (const path of ${JSON.stringify(paths)}) {
  const lines = []
  console.log = (...values) => lines.push(format(...values))
  await import(path).catch((error) => lines.push(String(error.stack)))
  all.push(lines)
}
print(JSON.stringify(all))
`
