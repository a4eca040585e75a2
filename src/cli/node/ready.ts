// SPDX-License-Identifier: Apache-2.0
// Waits until a server is ready: a URL answers, a file exists, or a port accepts connections.
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { fail } from '../../errors/errors.ts'

const pauseMs = 50
const answerMs = 2000

/** Returns a function that resolves with true as soon as the server is ready, and with false if the signal aborts first. */
export function parseReady(text: string): (signal: AbortSignal) => Promise<boolean> {
  const check = checkOf(text)
  return async (signal) => {
    while (!signal.aborted) {
      if (await check()) return true
      await pause(pauseMs)
    }
    return false
  }
}

/** Returns the check for a value of --ready. @throws OPTION_INVALID */
function checkOf(text: string): () => Promise<boolean> {
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return () => answers(text)
  const [, host = '127.0.0.1', port] = /^(?:([\w.-]+):)?(\d{1,5})$/.exec(text) ?? []
  if (port !== undefined && Number(port) > 0 && Number(port) < 65_536) return () => accepts(host, Number(port))
  if (text.includes('/')) return async () => existsSync(text)
  throw fail('OPTION_INVALID', {
    name: '--ready',
    value: text,
    accepted: 'a URL with http:// or https://, a path with a slash, or a port such as 8080 or localhost:8080',
  })
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(answerMs) })
    await response.body?.cancel()
    return response.status < 500
  } catch {
    return false
  }
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const end = (ready: boolean) => {
      socket.destroy()
      resolve(ready)
    }
    socket.setTimeout(answerMs, () => end(false))
    socket.on('connect', () => end(true))
    socket.on('error', () => end(false))
  })
}
