// SPDX-License-Identifier: Apache-2.0
// In how many files of src each figure stands, by the compiler's references to its row in the table of figures.
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

/** Figure → the files of src with a reference to it. */
export async function countReferences(folder, wanted = []) {
  const server = openServer()
  try {
    const root = pathToFileURL(process.cwd()).href
    await server.ask('initialize', { processId: process.pid, rootUri: root, capabilities: {} })
    server.tell('initialized', {})
    const open = new Set()
    const found = new Map()
    for (const { figure, path, line } of findRows(folder)) {
      if (wanted.length > 0 && !wanted.includes(figure)) continue
      const uri = pathToFileURL(resolve(path)).href
      if (!open.has(uri)) {
        const text = readFileSync(path, 'utf8')
        server.tell('textDocument/didOpen', { textDocument: { uri, languageId: 'typescript', version: 1, text } })
        open.add(uri)
      }
      const references = await server.ask('textDocument/references', {
        textDocument: { uri },
        position: { line, character: 3 },
        context: { includeDeclaration: true },
      })
      const files = new Set(references.map((one) => one.uri.slice(root.length + 1)))
      found.set(figure, [...files].filter((file) => file.startsWith('src/')).sort())
    }
    return found
  } finally {
    server.close()
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const found = await countReferences('src/cgroup/controllers', process.argv.slice(2))
  for (const [figure, files] of found) console.log(`${files.length} ${figure}: ${files.join(' ')}`)
}
