// SPDX-License-Identifier: Apache-2.0
// A dashboard as a user starts it, and requests as a program or a browser sends them.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { All, Change } from '../../src/ui/dashboard/api-types.ts'
import { cli } from '../support/command.ts'

export interface Served {
  child: ChildProcess
  port: number
  token: string
  /** As printed. */
  url: string
  stop(): Promise<void>
}

export async function serve(...flags: string[]): Promise<Served> {
  const child = spawn(process.execPath, [cli, 'dashboard', '--listen', '127.0.0.1:0', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  const url = line.toString().trim()
  const { port, hash } = new URL(url)
  return {
    child,
    port: Number(port),
    token: hash.slice('#token='.length),
    url,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        await once(child, 'exit')
      }
    },
  }
}

export interface Answer {
  status: number
  headers: IncomingMessage['headers']
  text: string
}

/** fetch() does not let a program choose Host and Origin. */
export function send(
  { port }: Served,
  path: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: { [name: string]: string }; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = ''
      response.on('data', (data) => {
        text += data
      })
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

export type Told = { event: 'all'; data: All } | { event: 'change'; data: Change }

/** The stream, event by event; `close` ends it. With another status than 200 no event comes. */
export async function listen(served: Served): Promise<{ status: number; next(): Promise<Told>; close(): void }> {
  const told: Told[] = []
  let wake = () => {}
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(
      {
        host: '127.0.0.1',
        port: served.port,
        path: '/events',
        headers: { authorization: `Bearer ${served.token}` },
      },
      resolve,
    )
      .on('error', reject)
      .end()
  })
  let text = ''
  response.on('data', (data) => {
    text += data
    const parts = text.split('\n\n')
    text = parts.pop()!
    for (const part of parts) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(part)!
      told.push({ event, data: JSON.parse(data!) } as Told)
    }
    wake()
  })
  response.on('error', () => {})
  return {
    status: response.statusCode!,
    async next() {
      while (told.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      return told.shift()!
    },
    close: () => response.destroy(),
  }
}

/** Starts a command in a group. `ends` gets what ends it. */
export function runInGroup(ends: (() => Promise<unknown> | unknown)[], path: string, command: string[]): ChildProcess {
  const child = spawn(process.execPath, [cli, 'cgroup', 'exec', path, '--', ...command], { stdio: 'ignore' })
  ends.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}
