-- expect: fails
return string.dump(function() end)
