// SPDX-License-Identifier: Apache-2.0
// In how many files each figure stands, and through how many files `--memory` goes, by the compiler's references.
//   node scripts/references.js [FIGURE…]
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The language server of the compiler: JSON-RPC, with the length of each message before it. */
function openServer() {
  const server = spawn(process.execPath, ['node_modules/typescript/bin/tsc', '--lsp', '--stdio'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const waiting = new Map()
  let rest = Buffer.alloc(0)
  let id = 0
  const send = (message) => {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message })
    server.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
  }
  server.stdout.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const head = rest.indexOf('\r\n\r\n')
      const length = Number(/Content-Length: (\d+)/.exec(rest.subarray(0, Math.max(0, head)).toString())?.[1])
      if (head < 0 || rest.length < head + 4 + length) return
      const message = JSON.parse(rest.subarray(head + 4, head + 4 + length).toString())
      rest = rest.subarray(head + 4 + length)
      // what the server asks for has no answer here
      if (message.method !== undefined && message.id !== undefined) send({ id: message.id, result: null })
      else waiting.get(message.id)?.(message)
    }
  })
  return {
    ask(method, params) {
      const number = ++id
      send({ id: number, method, params })
      return new Promise((done, failed) =>
        waiting.set(number, ({ result, error }) =>
          error ? failed(new Error(`${method}: ${error.message}`)) : done(result),
        ),
      )
    },
    tell: (method, params) => send({ method, params }),
    close: () => server.kill(),
  }
}

/** The rows of the table: name, file, line and column. */
function findRows(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const path = `${folder}/${name}`
      let inside = false
      return readFileSync(path, 'utf8')
        .split('\n')
        .flatMap((text, line) => {
          if (/^export const \w+Figures = \{/.test(text)) inside = true
          if (/^\}/.test(text)) inside = false
          const [, figure] = (inside && /^ {2}(\w+): /.exec(text)) || []
          return figure === undefined ? [] : [{ figure, path, line }]
        })
    })
}

/** Opens the project in the language server. `filesWith` returns the files of src with a reference to a symbol. */
async function openProject() {
  const server = openServer()
  const root = pathToFileURL(process.cwd()).href
  await server.ask('initialize', { processId: process.pid, rootUri: root, capabilities: {} })
  server.tell('initialized', {})
  const texts = new Map()
  const read = (path) => {
    const uri = pathToFileURL(resolve(path)).href
    if (!texts.has(uri)) {
      const text = readFileSync(path, 'utf8')
      server.tell('textDocument/didOpen', { textDocument: { uri, languageId: 'typescript', version: 1, text } })
      texts.set(uri, text)
    }
    return { uri, text: texts.get(uri) }
  }
  return {
    close: server.close,
    /** `find`: the line and column, or the text at whose end the symbol stands. */
    async filesWith(path, find) {
      const { uri, text } = read(path)
      const before = typeof find === 'string' ? text.slice(0, text.indexOf(find) + find.length - 1).split('\n') : []
      if (typeof find === 'string' && !text.includes(find)) throw new Error(`${path} has no ${find}`)
      const references = await server.ask('textDocument/references', {
        textDocument: { uri },
        position: typeof find === 'string' ? { line: before.length - 1, character: before.at(-1).length } : find,
        context: { includeDeclaration: true },
      })
      const files = new Set(references.map((one) => one.uri.slice(root.length + 1)))
      return [...files].filter((file) => file.startsWith('src/')).sort()
    },
  }
}

/** Figure → the files of src with a reference to it. */
export async function countReferences(folder, wanted = []) {
  const project = await openProject()
  try {
    const found = new Map()
    // code refers to the row, or to the member of a sample that is generated from it
    const generated = `${folder}/figure-types.generated.ts`
    const types = readFileSync(generated, 'utf8').split('\n')
    for (const { figure, path, line } of findRows(folder)) {
      if (wanted.length > 0 && !wanted.includes(figure)) continue
      const places = [[path, line]]
      const member = types.findIndex((text) => text.startsWith(`  ${figure}: `))
      if (member >= 0) places.push([generated, member])
      const files = []
      for (const [file, at] of places) files.push(...(await project.filesWith(file, { line: at, character: 3 })))
      found.set(figure, [...new Set(files)].filter((file) => file !== generated).sort())
    }
    return found
  } finally {
    project.close()
  }
}

/**
 * The ways of `--memory`: from its row to the kernel's file, and from the kernel's figure to the report. Each step is a file; the symbol
 * that another file of the way refers to; and that file, if it is not the next. Files with types only and generated files do not count.
 */
const ways = {
  down: [
    ['src/options/limits.ts', 'export const limitRows'],
    ['src/options/table.ts', 'export const limitRowOf'],
    ['src/options/limit-options.ts', 'export function parseLimits'],
    ['src/options/options.ts', 'export function parseOptions'],
    ['src/run/job.ts'],
    ['src/run/launch.ts', 'export function launch', 'src/run/job.ts'],
    ['src/plan/plan.ts', 'export function makePlan', 'src/run/launch.ts'],
    ['src/plan/groups.ts', 'export function planGroups', 'src/plan/plan.ts'],
    ['src/plan/compile.ts', 'export function compilePlan', 'src/run/launch.ts'],
    ['src/ops/wire.ts', 'export function encodeProgram', 'src/run/launch.ts'],
  ],
  up: [
    ['src/ops/wire.ts', 'export function decodeFigures', 'src/run/follow.ts'],
    ['src/run/follow.ts'],
    ['src/verdict/conclude.ts', 'export function conclude', 'src/run/follow.ts'],
    ['src/verdict/collect-end.ts', 'export function collectEnd', 'src/verdict/conclude.ts'],
    ['src/verdict/usage.ts', 'export function parseUsage', 'src/verdict/collect-end.ts'],
    ['src/cgroup/figure-value.ts', 'export function readValue', 'src/verdict/usage.ts'],
    ['src/cgroup/controllers/memory-figures.ts'],
    ['src/cli/report.ts', 'export function formatReport', 'src/cli/run.ts'],
  ],
}
/** The C of both ways: what decodes the operation or passes the event on, and the operation that has the handler. */
const inC = { down: ['native/wire/decode.c', 'writeFile'], up: ['native/node/reactor.c', 'readFile'] }

/** Returns the files of each way of `--memory`. Throws if a file does not refer to the file before it. */
export async function countWays() {
  const project = await openProject()
  try {
    const found = {}
    for (const [way, steps] of Object.entries(ways)) {
      for (const [i, [path, symbol, user = steps[i + 1]?.[0]]] of steps.entries())
        if (symbol !== undefined && !(await project.filesWith(path, symbol)).includes(user))
          throw new Error(`${user} does not refer to ${symbol} of ${path}`)
      found[way] = [...steps.map(([path]) => path), inC[way][0], ...findHandlers(inC[way][1])]
    }
    return found
  } finally {
    project.close()
  }
}

/** Returns the C file with the handler of an operation. */
function findHandlers(op) {
  const handler = new RegExp(`X\\(\\d+, ${op}, (\\w+),`).exec(readFileSync('native/wire/program.h', 'utf8'))[1]
  const sources = readdirSync('native/caller').map((name) => `native/caller/${name}`)
  return sources.filter((path) => new RegExp(`^(static )?\\w+ \\**${handler}\\(`, 'm').test(readFileSync(path, 'utf8')))
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const found = await countReferences('src/cgroup/controllers', process.argv.slice(2))
  for (const [figure, files] of found) console.log(`${files.length} ${figure}: ${files.join(' ')}`)
  for (const [way, files] of Object.entries(await countWays()))
    console.log(`${files.length} --memory ${way}: ${files.join(' ')}`)
}
