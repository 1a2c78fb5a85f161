;;; scripted.el --- A daemon that says what a test wants  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; It listens inside the Emacs of the tests; what the package starts only
;; passes bytes on to it.

;;; Code:

(require 'home)

(defvar scripted-process nil "The package's end of the conversation.")
(defvar scripted-received nil "What the package has said, the last message first.")
(defvar scripted-methods nil "Methods that are said to be there.")
(defvar scripted-silent nil "Methods that are not answered.")

(defmacro scripted-test (name &rest body)
  "Define the test NAME, with BODY before a scripted daemon."
  (declare (indent 1) (debug t))
  `(ert-deftest ,name ()
     (scripted-call (lambda () ,@body))))

(defun scripted-call (function)
  "Call FUNCTION with the package talking to a scripted daemon."
  (let* ((scripted-received nil)
         (scripted-methods ["skills.register"])
         (scripted-silent nil)
         (jsonrpc-inhibit-debug-on-error t)
         (server (make-network-process :name "scripted" :server t :host "127.0.0.1" :service t :family 'ipv4
                                       :coding 'binary :filter #'scripted-filter :noquery t))
         (pass-on "exec 3<>/dev/tcp/127.0.0.1/$0; cat <&3 & exec cat >&3")
         (open-think-command
          (list "bash" "-c" pass-on (format "%d" (process-contact server :service)))))
    (unwind-protect
        (funcall function)
      (when open-think--process
        (delete-process open-think--process))
      (when (process-live-p scripted-process)
        (delete-process scripted-process))
      (delete-process server)
      (home-leave))))

(defun scripted-filter (process bytes)
  "Read BYTES from PROCESS, and answer as a daemon would."
  (setq scripted-process process)
  (process-put process 'rest (concat (process-get process 'rest) bytes))
  (let (message)
    (while (setq message (scripted-next process))
      (push message scripted-received)
      (let ((method (plist-get message :method)))
        (when (and method (plist-get message :id) (not (member method scripted-silent)))
          (scripted-say :id (plist-get message :id)
                        :result (pcase method
                                  ("initialize" `(:capabilities (:protocolVersion "1.9" :methods ,scripted-methods :novelty t)))
                                  ("conductor.subscribe"
                                   `(:seq ,(or (plist-get (plist-get message :params) :afterSeq) 0)))
                                  ("sessions.messages" '(:messages []))
                                  ("sessions.get" '(:heldActions []))
                                  (_ nil))))))))

(defun scripted-next (process)
  "Take the next message off what PROCESS has sent."
  (let ((bytes (process-get process 'rest)))
    (when (string-match "\\`Content-Length: \\([0-9]+\\)\r\n\r\n" bytes)
      (let ((end (+ (match-end 0) (string-to-number (match-string 1 bytes)))))
        (when (<= end (length bytes))
          (process-put process 'rest (substring bytes end))
          (json-parse-string (decode-coding-string (substring bytes (match-end 0) end) 'utf-8)
                             :object-type 'plist :null-object nil :false-object :json-false))))))

(defun scripted-say (&rest message)
  "Send MESSAGE."
  (let ((json (encode-coding-string
               (json-encode `(:jsonrpc "2.0" ,@message)) 'utf-8)))
    (process-send-string scripted-process (format "Content-Length: %d\r\n\r\n%s" (length json) json))))

(defun scripted-event (sequence &rest event)
  "Send EVENT with the number SEQUENCE."
  (scripted-say :method "conductor.event"
                :params `(:sessionName "emacs" :turnId "t1" :seq ,sequence :event ,event)))

(defun scripted-watched ()
  "Have the session watched, and give its buffer."
  (let ((buffer (open-think--buffer "emacs")))
    (open-think--watch buffer #'ignore)
    (home-until "the session is watched" (lambda () (eq t (buffer-local-value 'open-think--attached buffer))))
    buffer))

(defun scripted-answer (id)
  "Wait for the answer to the request ID."
  (home-until "an answer"
              (lambda () (seq-find (lambda (message) (and (equal id (plist-get message :id))
                                                          (not (plist-get message :method))))
                                   scripted-received))))

(provide 'scripted)
;;; scripted.el ends here
