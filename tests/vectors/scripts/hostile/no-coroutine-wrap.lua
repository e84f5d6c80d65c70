-- expect: fails
return coroutine.wrap(function() end)()
