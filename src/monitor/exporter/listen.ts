// SPDX-License-Identifier: Apache-2.0
// Where a server of hutch's listens, and how that is said.
import type { Server } from 'node:http'
import { fail } from '../../errors/errors.ts'

/** Listens, and gives the place as it stands in a URL: `127.0.0.1:7070`, `[::1]:7070`. Port 0 is any that is free. @throws FILE_REFUSED */
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
  // such as a connection for which there is no descriptor left
  server.on('error', () => {})
  const bound = server.address()
  const own = typeof bound === 'object' && bound !== null ? bound.port : port
  return { port: own, place: `${address.includes(':') ? `[${address}]` : address}:${own}` }
}
