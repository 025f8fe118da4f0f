// Says everything the official library can say, for a few people. One line of JSON on standard input holds the options:
// {"writeKey", "host", "path", "people", "flushAt", "maxRetries", "gzip"}; one line on standard output says how it ended.
import { gzipSync } from 'node:zlib'
import { readFileSync } from 'node:fs'
import { Analytics } from '@segment/analytics-node'

const given = JSON.parse(readFileSync(0, 'utf8'))
const errors = []
let requests = 0

// The library has no switch for compression: a customer gives it an HTTP client that compresses.
async function send(url, options) {
  requests += 1
  if (!given.gzip) return fetch(url, options)
  return fetch(url, { ...options, body: gzipSync(options.body), headers: { ...options.headers, 'Content-Encoding': 'gzip' } })
}

const { writeKey, host, path, flushAt, maxRetries } = given
const analytics = new Analytics({ writeKey, host, path, flushAt, maxRetries, flushInterval: 200, httpClient: send })
analytics.on('error', (error) => errors.push(String(error.code ?? error)))

for (let number = 0; number < given.people; number += 1) {
  const userId = `person-${number}`
  analytics.identify({ userId, traits: { email: `${userId}@example.com`, plan: 'pro', score: 1.0, since: new Date(0) } })
  analytics.track({ userId, event: 'Order Completed', properties: { order_id: `o-${number}`, total: 12.5, currency: 'EUR' } })
  analytics.page({ userId, category: 'Docs', name: 'Home', properties: { path: '/' } })
  analytics.screen({ userId, name: 'Wallet', properties: { vouchers: 3 } })
  analytics.group({ userId, groupId: 'org_1', traits: { name: 'Org One' } })
  analytics.alias({ userId, previousId: `anonymous-${number}` })
}
analytics.track({ anonymousId: 'nobody-yet', event: 'Seen' })
await analytics.closeAndFlush({ timeout: 60_000 })
console.log(JSON.stringify({ errors, requests }))
