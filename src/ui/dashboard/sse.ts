// SPDX-License-Identifier: Apache-2.0
// Sends events to open pages (server-sent events). A page that reads slowly gets nothing until it has read everything
// sent so far, and then the complete state.
import type { ServerResponse } from 'node:http'

/** Maximum number of pages that can be connected. */
const maxStreams = 16

/** Milliseconds after which a page is disconnected if it reads nothing. */
const patienceMs = 30_000

interface Stream {
  response: ServerResponse
  /** Time since which data waits to be read by the page; undefined if no data waits. */
  behindSince: number | undefined
  missed: boolean
}

interface Streams {
  /** Connects a page. Returns false if too many pages are connected. */
  add(response: ServerResponse): boolean
  /** Sends the event `change` to all connected pages. */
  send(change: unknown): void
  readonly size: number
  close(): void
}

/**
 * Creates the streams. `all` returns the content of the event `all`. `counted` is called with the number of pages.
 * `clock` returns milliseconds.
 */
export function makeStreams(
  all: () => unknown,
  counted: (streams: number) => void,
  clock = () => performance.now(),
): Streams {
  const streams = new Set<Stream>()
  const write = (stream: Stream, text: string) => {
    if (!stream.response.write(text)) stream.behindSince ??= clock()
  }
  const format = (event: string, data: unknown) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
  return {
    get size() {
      return streams.size
    },
    add(response) {
      if (streams.size >= maxStreams) return false
      const stream: Stream = { response, behindSince: undefined, missed: false }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      // called before the page is added, so that the sample which it triggers is not sent to the page before the complete state
      counted(streams.size + 1)
      streams.add(stream)
      response.on('drain', () => {
        stream.behindSince = undefined
        if (!stream.missed) return
        stream.missed = false
        write(stream, format('all', all()))
      })
      response.on('close', () => {
        streams.delete(stream)
        counted(streams.size)
      })
      write(stream, format('all', all()))
      return true
    },
    send(change) {
      if (streams.size === 0) return
      const text = format('change', change)
      for (const stream of streams) {
        if (stream.behindSince === undefined) write(stream, text)
        else if (clock() - stream.behindSince > patienceMs) stream.response.destroy()
        else stream.missed = true
      }
    },
    close() {
      for (const { response } of streams) response.destroy()
    },
  }
}
