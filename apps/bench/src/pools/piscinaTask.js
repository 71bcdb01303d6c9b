/** What piscina's threads run. JavaScript, because its threads import it by themselves. */
export default (n) => n + 1
