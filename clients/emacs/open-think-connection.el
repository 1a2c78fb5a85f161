;;; open-think-connection.el --- The connection to the Open Think daemon  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; One connection for all of Emacs, by `open-think --stdio', which finds the
;; daemon that a user's clients share, or starts it.  Whoever asks first starts
;; it, and whoever asks after it was lost starts it again.

;;; Code:

(require 'cl-lib)
(require 'eieio)
(require 'jsonrpc)
(require 'subr-x)
(require 'open-think-wire)

(defgroup open-think nil
  "Talk to Helm, the agent of the Open Think daemon."
  :group 'tools
  :prefix "open-think-")

(defcustom open-think-command '("open-think" "--stdio")
  "The program and its arguments."
  :type '(repeat string))

(defcustom open-think-directory "~/"
  "The folder in which skills that are programs work."
  :type 'directory)

(defcustom open-think-timeout 10
  "Seconds that commands wait for the daemon.
Turns have no such limit."
  :type 'number)

(defconst open-think-version "0.1.0"
  "The version of this package.")

(defvar open-think-connected-functions nil
  "Functions without arguments, called whenever there is a new connection.")

(defvar open-think-lost-functions nil
  "Functions that are called with a sentence when the connection is gone.")

(defvar open-think-event-functions nil
  "Functions that are called with the parameters of each `conductor.event'.")

(defvar open-think-skill-function nil
  "Function that answers `skills.call'.
It is called with the parameters, and gives the output or signals an error.")

(defvar open-think--connection nil
  "The connection, or nil.")

(defvar open-think--process nil
  "The process of the connection.")

(defvar open-think--capabilities nil
  "What the daemon says that it can do; nil until it has said so.")

(defvar open-think--waiting nil
  "Requests that wait for the daemon's first answer, the last one first.")

(defconst open-think--lost '(:code -1 :message "the connection to the daemon was lost")
  "The error of requests whose connection went away.")

(defun open-think-connected-p ()
  "Tell whether there is a connection, or one that begins."
  (and open-think--connection (jsonrpc-running-p open-think--connection)))

(defun open-think--ready-p ()
  "Tell whether the daemon has introduced itself."
  (and open-think--capabilities (open-think-connected-p)))

(defun open-think--speaks-p (method)
  "Tell whether the daemon knows METHOD, a string."
  (seq-contains-p (plist-get open-think--capabilities :methods) method))

(defun open-think--error-text (failure)
  "Say in one line what FAILURE is, an error of the protocol."
  (let ((hint (plist-get (plist-get failure :data) :hint)))
    (concat (plist-get failure :message) (when hint (format " (%s)" hint)))))

(defun open-think--lost-p (failure)
  "Tell whether FAILURE is but the loss of the connection."
  (eql (plist-get failure :code) -1))

(defun open-think--report (failure)
  "Show FAILURE, unless it is the loss of the connection, which is told once."
  (unless (open-think--lost-p failure)
    (message "open-think: %s" (open-think--error-text failure))))

(defun open-think--request (method params &optional done failed)
  "Ask the daemon METHOD, a string, with PARAMS, a plist.
DONE is called with the result, FAILED with the error.  There is no time limit.
Starts the daemon if need be."
  (open-think--connect)
  (let ((request (list method params (or done #'ignore) (or failed #'open-think--report))))
    (cond (open-think--capabilities (open-think--send request))
          (open-think--connection (push request open-think--waiting))
          (t (funcall (nth 3 request) open-think--lost)))))

(defun open-think--send (request)
  "Send REQUEST: method, parameters and two functions."
  (pcase-let ((`(,method ,params ,done ,failed) request))
    (condition-case failure
        (jsonrpc-async-request open-think--connection (intern method) (open-think--sendable params)
                               :success-fn done :error-fn failed :timeout nil)
      ;; A process may end before Emacs has noticed.
      (error (funcall failed (if (eq 'run (process-status open-think--process))
                                 `(:code -32602 :message ,(error-message-string failure))
                               open-think--lost))))))

(defun open-think--fetch (method params)
  "Ask the daemon METHOD with PARAMS and wait for the result.
For what a command must know before it can ask its user."
  (let (answer)
    ;; Not `jsonrpc-request': that of Emacs 28 stumbles over an answer that
    ;; comes after it has given up.
    (open-think--request method params
                         (lambda (result) (setq answer (list :result result)))
                         (lambda (failure) (setq answer (list :error failure))))
    (with-timeout (open-think-timeout
                   (user-error "The daemon has not answered %s for %s seconds; M-x open-think-shutdown lets go of it"
                               method open-think-timeout))
      (while (not answer)
        (accept-process-output nil 0.05)))
    (when-let ((failure (plist-get answer :error)))
      (user-error "The daemon says: %s" (open-think--error-text failure)))
    (plist-get answer :result)))

(defun open-think--connect ()
  "Make sure that there is a connection, or one that begins."
  (unless (open-think-connected-p)
    (open-think--start)))

(defun open-think--start ()
  "Start the program and introduce Emacs to the daemon."
  (let ((default-directory (file-name-as-directory (expand-file-name open-think-directory))))
    (unless (and (consp open-think-command) (seq-every-p #'stringp open-think-command))
      (user-error "The setting open-think-command must be a list of words, as (\"open-think\" \"--stdio\")"))
    (unless (executable-find (car open-think-command))
      (user-error "There is no program %s: install Open Think, or name it with M-x customize-variable open-think-command"
                  (car open-think-command)))
    (setq open-think--capabilities nil)
    (let ((connection (open-think--make-connection)))
      (open-think--guard open-think--process)
      (setq open-think--connection connection)
      (run-with-timer open-think-timeout nil #'open-think--give-up open-think--process)
      (open-think--send
       (list "initialize"
             `( :processId ,(emacs-pid)
                :clientInfo (:name "emacs" :version ,open-think-version)
                :protocolVersion "1.0"
                :capabilities (:skills t))
             (lambda (result) (open-think--welcome connection result))
             (lambda (failure)
               (open-think--report failure)
               (unless (open-think--lost-p failure)
                 (delete-process open-think--process))))))))

(defun open-think--make-connection ()
  "Start the program."
  (apply #'make-instance 'jsonrpc-process-connection
         :name "open-think"
         :process (lambda ()
                    (setq open-think--process
                          (make-process :name "open-think" :command open-think-command
                                        :connection-type 'pipe :coding 'utf-8-emacs-unix :noquery t
                                        ;; jsonrpc.el wants this very name.
                                        :stderr (get-buffer-create "*open-think stderr*"))))
         :request-dispatcher #'open-think--answer
         :notification-dispatcher #'open-think--notice
         :on-shutdown #'open-think--gone
         ;; Its log would cost more than all else.
         (if (cl-find '-events-buffer-config (eieio-class-slots 'jsonrpc-process-connection)
                      :key #'eieio-slot-descriptor-name)
             '(:events-buffer-config (:size 0 :format full))
           '(:events-buffer-scrollback-size 0))))

(defun open-think--welcome (connection result)
  "The daemon has answered on CONNECTION with RESULT: go on with what waits."
  (when (eq connection open-think--connection)
    (setq open-think--capabilities (plist-get result :capabilities))
    (jsonrpc-notify connection 'initialized nil)
    (let ((waiting (nreverse open-think--waiting)))
      (setq open-think--waiting nil)
      (run-hooks 'open-think-connected-functions)
      (mapc #'open-think--send waiting))))

(defun open-think--give-up (process)
  "End PROCESS if the daemon has not answered by now."
  (when (and (eq process open-think--process) (not open-think--capabilities) (process-live-p process))
    (delete-process process)))

(defun open-think--gone (connection)
  "Tell once that CONNECTION is gone, and fail what waits for it."
  (when (eq connection open-think--connection)
    (let ((waiting (nreverse open-think--waiting))
          (sentence (open-think--why-gone connection)))
      (setq open-think--connection nil
            open-think--capabilities nil
            open-think--waiting nil)
      (dolist (request waiting)
        (funcall (nth 3 request) open-think--lost))
      (run-hook-with-args 'open-think-lost-functions sentence)
      (message "open-think: %s" sentence))))

(defun open-think--why-gone (connection)
  "Say why CONNECTION has ended, and what to do about it."
  (let* ((words (open-think--last-words (jsonrpc-stderr-buffer connection)))
         (said (if words (format " (%s)" words) "")))
    (if open-think--capabilities
        (format "the connection to the daemon was lost%s; the next command makes it anew" said)
      (format "%s did not get to answer%s; its command doctor tells what is wrong, the next command tries again"
              (car open-think-command) said))))

(defun open-think--last-words (buffer)
  "The last line that the program wrote to its standard error, BUFFER, or nil."
  (when (buffer-live-p buffer)
    (when-let ((process (get-buffer-process buffer)))
      (accept-process-output process 0.1))
    (with-current-buffer buffer
      (car (last (cl-remove-if (lambda (line) (or (string-blank-p line) (string-prefix-p "Process " line)))
                               (split-string (buffer-string) "\n")))))))

(defun open-think--notice (_connection method params)
  "Pass on the notification METHOD with PARAMS.  Others are passed over."
  (when (eq method 'conductor.event)
    ;; An error here would take the messages after this one with it.
    (with-demoted-errors "open-think: %S"
      (run-hook-with-args 'open-think-event-functions params))))

(defun open-think--answer (_connection method params)
  "Answer the daemon's request METHOD with PARAMS.
Emacs waits for the answer, so only what is done at once is offered."
  (if (and (eq method 'skills.call) open-think-skill-function)
      (condition-case failure
          (list :output (open-think--sendable (funcall open-think-skill-function params)))
        ((error quit)
         (jsonrpc-error :code -32803 :message (open-think--plain-text (open-think--brief failure)))))
    (jsonrpc-error :code -32601 :message (format "Emacs has no method %s" method))))

(defun open-think--leave ()
  "Say goodbye, and end the connection."
  (let ((connection open-think--connection)
        (process open-think--process))
    (setq open-think--connection nil
          open-think--waiting nil
          open-think--capabilities nil)
    (jsonrpc-async-request connection 'shutdown nil
                           :success-fn (lambda (_) (jsonrpc-notify connection 'exit nil))
                           :error-fn #'ignore :timeout nil)
    (run-with-timer open-think-timeout nil (lambda () (when (process-live-p process) (delete-process process))))
    (run-hook-with-args 'open-think-lost-functions "the connection was ended; the next command makes it anew")))

(provide 'open-think-connection)
;;; open-think-connection.el ends here
