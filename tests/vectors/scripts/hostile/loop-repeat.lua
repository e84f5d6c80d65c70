-- expect: steps
repeat local x = 1 until false
