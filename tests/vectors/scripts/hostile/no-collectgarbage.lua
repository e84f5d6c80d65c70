-- expect: fails
return tostring(collectgarbage("count"))
