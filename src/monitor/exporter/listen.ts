// SPDX-License-Identifier: Apache-2.0
// Makes an HTTP server listen, and returns its address for messages.
import type { Server } from 'node:http'
import { fail } from '../../errors/errors.ts'

/**
 * Listens on an address and port, and returns the address in the form used in a URL, such as `127.0.0.1:7070` or
 * `[::1]:7070`. Port 0 means any free port.
 *
 * @throws FILE_REFUSED
 */
export async function listen(server: Server, address: string, port: number): Promise<{ port: number; place: string }> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        fail(
          'FILE_REFUSED',
          {
            what: 'listen at',
            path: `${address}:${port}`,
            errno: error.code ?? 'EINVAL',
            remedy: 'name another address with --listen; port 0 selects a free port',
          },
          error,
        ),
      ),
    )
    server.listen(port, address, resolve)
  })
  // for example, no descriptor is left for a new connection
  server.on('error', () => {})
  const bound = server.address()
  const own = typeof bound === 'object' && bound !== null ? bound.port : port
  return { port: own, place: `${address.includes(':') ? `[${address}]` : address}:${own}` }
}
