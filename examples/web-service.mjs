// SPDX-License-Identifier: Apache-2.0
// A web service that runs untrusted scripts: POST a script, get its output. A pool has sandboxes ready, so a request does not wait for one.
//   PORT=8080 node examples/web-service.mjs
import { createServer } from 'node:http'
import { createPool } from 'hutch'

const pool = await createPool({ size: 4, sandbox: { limits: { memory: '64M', pids: 16 }, timeout: '5s' } })

async function readText(request, mostBytes) {
  const chunks = []
  let length = 0
  for await (const chunk of request) {
    length += chunk.length
    if (length > mostBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

const server = createServer(async (request, response) => {
  const script = await readText(request, 65_536)
  if (script === undefined) return response.writeHead(413).end()
  // the client has gone: its job is stopped
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    const { stdout, stderr, status, reason } = await pool.run('sh', ['-s'], {
      input: script,
      signal: gone.signal,
      maxBuffer: '64K',
    })
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(`${JSON.stringify({ stdout, stderr, status, reason })}\n`)
  } catch (error) {
    response.writeHead(503).end(`${error.message}\n`)
  }
})
server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => console.log(`port ${server.address().port}`))
process.once('SIGTERM', async () => {
  server.close()
  await pool.close()
})
