// Before the first paint, so that the chosen colours and language do not flash in late; the app takes over from here.
try {
  const theme = localStorage.getItem('yunbo.theme')
  if (theme) document.documentElement.dataset.theme = theme
} catch {
  // Storage is forbidden: the colours of the system it is.
}
