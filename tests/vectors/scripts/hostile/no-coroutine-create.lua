-- expect: fails
return coroutine.create(function() end)
