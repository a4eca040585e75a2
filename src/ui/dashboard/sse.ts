// SPDX-License-Identifier: Apache-2.0
// Sends server-sent events to clients. A slow client gets nothing until it has caught up, and then everything.
import type { ServerResponse } from 'node:http'

/** Pages open at a time. */
const mostStreams = 16

/** One that has read nothing for so long is let go. */
const patienceMs = 30_000

interface Stream {
  response: ServerResponse
  /** Since when it has not read what it was sent. */
  behindSince: number | undefined
  missed: boolean
}

export interface Streams {
  /** False when there are too many. */
  add(response: ServerResponse): boolean
  /** The event `change` for all. */
  send(change: unknown): void
  readonly size: number
  close(): void
}

/** `all` makes the event `all`; `counted` hears how many watch; `clock` tells milliseconds. */
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
      if (streams.size >= mostStreams) return false
      const stream: Stream = { response, behindSince: undefined, missed: false }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      // the look that a first watcher brings about must not come before all there is
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
