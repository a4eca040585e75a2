// SPDX-License-Identifier: Apache-2.0
// Decides which requests are allowed. A request must name an address of this machine (against DNS rebinding), and must not come from
// another site's page. It must contain the token, as a bearer token or in the cookie. Called by ui/dashboard/.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export interface Gate {
  /** Token for the printed URL; 256 bits. */
  readonly token: string
  isToken(text: string): boolean
  /** Secret path for all requests except the page itself. The browser sends the cookie only to this path. */
  readonly base: string
  /** Returns the `Set-Cookie` value for a client that has sent the token. */
  cookie(): string
  /**
   * Returns why a request is refused, regardless of the token; undefined if it is allowed. `opens` is a request for the page itself, which
   * contains no secret.
   */
  refuse(headers: IncomingHttpHeaders, kind: { changes: boolean; opens: boolean }): string | undefined
  /** Returns true if the request contains the token. */
  knows(headers: IncomingHttpHeaders): boolean
}

/**
 * Makes the checks for a port. Browsers send cookies to all ports of a host, so the cookie's name contains the port, and its path is
 * secret.
 */
export function makeGate(port: number, listening: string): Gate {
  const token = randomBytes(32).toString('base64url')
  const session = randomBytes(32).toString('base64url')
  const base = `/${randomBytes(32).toString('base64url')}`
  const name = `hutch-dashboard-${port}`
  return {
    token,
    isToken: (text) => isSame(text, token),
    base,
    cookie: () => `${name}=${session}; HttpOnly; SameSite=Strict; Path=${base}`,
    refuse(headers, { changes, opens }) {
      const { host, origin } = headers
      if (host === undefined || !namesMachine(host, [listening]))
        return 'the Host header is not an address of this machine; open it by its address, or as localhost'
      if (origin !== undefined && origin !== `http://${host}`) return 'the request comes from another origin'
      const { 'sec-fetch-site': site, 'sec-fetch-mode': mode, 'sec-fetch-dest': destination } = headers
      // for example a link to the page in a terminal that is a web page
      const isOpened = opens && mode === 'navigate' && destination === 'document'
      if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isOpened)
        return 'the request comes from another site'
      // a browser sends Origin with every POST; a program sends no cookie
      if (changes && origin === undefined && headers.authorization === undefined) return 'the Origin header is missing'
      return undefined
    },
    knows({ authorization, cookie }) {
      const [, bearer] = /^Bearer ([\w-]+)$/i.exec(authorization ?? '') ?? []
      if (bearer !== undefined && isSame(bearer, token)) return true
      const values = (cookie ?? '').split(/; */).flatMap((pair) => (pair.startsWith(`${name}=`) ? [pair] : []))
      return values.some((pair) => isSame(pair.slice(name.length + 1), session))
    },
  }
}

/** Compares two texts in constant time. */
function isSame(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest())
  return timingSafeEqual(left!, right!)
}

/**
 * Returns true if a Host header is an address or one of `names`. Anyone can point their own name at this machine, but not an address or
 * localhost.
 */
export function namesMachine(host: string, names: readonly string[]): boolean {
  const [, six, name] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(host) ?? []
  if (six !== undefined) return true
  return name !== undefined && (/^\d{1,3}(\.\d{1,3}){3}$/.test(name) || name === 'localhost' || names.includes(name))
}
